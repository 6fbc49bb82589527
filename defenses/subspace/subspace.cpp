#include "subspace.h"

#include <algorithm>

#include <ATen/ops/linalg_svd.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void SubspaceDefense::Params::declare(ParamList& list) {
  list.add("rank", rank, Range{0, 1024}, "1",
           "directions of the subspace; at most one less than the prompts of a class",
           "ours; the paper's number is unknown to us");
}

std::vector<Stage> SubspaceDefense::stages(const Stage& training) const {
  Stage poisoned = training;
  poisoned.plain = true;
  return {poisoned};
}

torch::Tensor distance_to_subspace(const torch::Tensor& points, const torch::Tensor& spanning, std::int64_t rank) {
  const auto mean = spanning.mean(0, /*keepdim=*/true);
  const auto directions = std::get<2>(at::linalg_svd(spanning - mean, /*full_matrices=*/false));  // [min(P, D), D]
  const auto used =
      directions.narrow(0, 0, std::clamp<std::int64_t>(rank, 0, std::min(spanning.size(0) - 1, directions.size(0))));
  const auto centred = points - mean;
  return (centred - centred.matmul(used.t()).matmul(used)).norm(2, 1);
}

std::optional<torch::Tensor> SubspaceDefense::input_suspicion(const torch::Tensor& pixels,
                                                              const Deployment& deployment) const {
  auto& model = deployment.model;
  const auto images = model.encode_image(pixels).to(torch::kCPU);
  const auto classes = class_embeddings(model, deployment.classes);  // [C, D]
  const auto given = images.matmul(classes.t()).argmax(1);           // [B]
  auto scores = torch::zeros({pixels.size(0)}, torch::kDouble);
  for (std::int64_t c = 0; c < classes.size(0); ++c) {
    const auto of_class = (given == c).nonzero().squeeze(1);
    if (of_class.size(0) == 0) continue;
    const auto prompts = embed_captions(model, deployment.classes[static_cast<std::size_t>(c)].prompts);
    const auto points = images.index_select(0, of_class).to(torch::kDouble);
    scores.index_copy_(0, of_class, distance_to_subspace(points, prompts.to(torch::kDouble), params_.rank));
  }
  return scores;
}

}  // namespace roclip
