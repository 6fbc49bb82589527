#include "prompt_score.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void PromptScoreDefense::Params::declare(ParamList& list) {
  list.choice("suspicious", suspicious, {"near", "far"},
              "which inputs: near the prompts of their class, or far from them", "ours");
}

std::vector<Stage> PromptScoreDefense::stages(const Stage& training) const {
  Stage poisoned = training;
  poisoned.plain = true;
  return {poisoned};
}

std::optional<torch::Tensor> PromptScoreDefense::input_suspicion(const torch::Tensor& pixels,
                                                                 const Deployment& deployment) const {
  auto& model = deployment.model;
  const auto classes = class_embeddings(model, deployment.classes).to(model.device());  // [C, D]
  const auto best = model.encode_image(pixels).matmul(classes.t()).amax(1);             // [B]
  return (params_.suspicious == "near" ? best : -best).to(torch::kCPU, torch::kDouble);
}

}  // namespace roclip
