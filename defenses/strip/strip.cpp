#include "strip.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void StripDefense::Params::declare(ParamList& list) {
  list.add("overlays", overlays, Range{1, 100}, "images", "clean images that are laid over each input",
           "ours; 100 in Gao et al. 2019");
  list.add("alpha", alpha, Range{0.01, 0.99}, "1", "weight of the clean image in the sum",
           "ours; Gao et al. 2019 add both images in full and clip");
}

std::vector<Stage> StripDefense::stages(const Stage& training) const {
  Stage poisoned = training;
  poisoned.plain = true;
  return {poisoned};
}

std::optional<torch::Tensor> StripDefense::input_suspicion(const torch::Tensor& pixels,
                                                           const Deployment& deployment) const {
  const auto& references = deployment.references;
  if (references.size(0) == 0) return std::nullopt;
  auto& model = deployment.model;
  const auto classes = class_embeddings(model, deployment.classes).to(model.device());  // [C, D]
  const auto scale = model.logit_scale();
  const auto count = std::min(params_.overlays, references.size(0));
  const auto chosen = Rng(stream(deployment.seed, "strip")).sample(references.size(0), count);
  auto entropy = torch::zeros({pixels.size(0)}, pixels.options());
  for (const auto i : chosen) {
    const auto blended = (1 - params_.alpha) * pixels + params_.alpha * references[i];
    const auto log_p = (scale * model.encode_image(blended).matmul(classes.t())).log_softmax(1);  // [B, C]
    entropy -= (log_p.exp() * log_p).sum(1);
  }
  return (-entropy / static_cast<double>(count)).to(torch::kCPU, torch::kDouble);
}

}  // namespace roclip
