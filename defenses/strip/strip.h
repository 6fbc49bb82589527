/// STRIP (Gao et al., ACSAC 2019, arXiv 1902.06531) for zero-shot CLIP: a triggered image is given the same class
/// whatever is laid over it.
#pragma once

#include "roclip/defense.h"

namespace roclip {

class StripDefense final : public Defense {
 public:
  struct Params {
    std::int64_t overlays = 20;
    double alpha = 0.5;

    void declare(ParamList& list);
  };

  explicit StripDefense(const Params& params) : params_(params) {}

  /// Plain training: the defense begins where it ends.
  std::vector<Stage> stages(const Stage& training) const override;
  /// Minus the mean entropy, in nats, of the predictions for the image with each overlay.
  std::optional<torch::Tensor> input_suspicion(const torch::Tensor& pixels,
                                               const Deployment& deployment) const override;

 private:
  Params params_;
};

}  // namespace roclip
