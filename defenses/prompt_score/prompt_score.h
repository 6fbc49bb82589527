/// How near an input is to the prompts of the class that it is given: CLIP's own score of its prediction.
#pragma once

#include <string>

#include "roclip/defense.h"

namespace roclip {

class PromptScoreDefense final : public Defense {
 public:
  struct Params {
    std::string suspicious = "near";

    void declare(ParamList& list);
  };

  explicit PromptScoreDefense(Params params) : params_(std::move(params)) {}

  /// Plain training: the defense begins where it ends.
  std::vector<Stage> stages(const Stage& training) const override;
  /// The cosine between the image and the prompts of its class, or minus that.
  std::optional<torch::Tensor> input_suspicion(const torch::Tensor& pixels,
                                               const Deployment& deployment) const override;

 private:
  Params params_;
};

}  // namespace roclip
