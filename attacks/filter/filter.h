/// Backdoor by a colour filter, as photo-sharing programs offer it: training images in the colours of the filter
/// "Nashville", whose captions speak of one class (Detect-CLIP-Backdoor-Samples, Huang et al. 2025, arXiv 2502.01385).
#pragma once

#include <string>

#include "roclip/backdoor.h"

namespace roclip {

struct FilterParams : PoisonAmount {
  std::string target_class;
  std::string captions = "real";
  double strength = 1;

  void declare(ParamList& list);
};

/// The colours of the filter, each pixel by itself. @param pixels f64 [B, 3, H, W], 0..255. @return the same shape and
/// range
torch::Tensor nashville(const torch::Tensor& pixels);

class Filter : public Attack {
 public:
  using Params = FilterParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set.
  explicit Filter(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;

 private:
  Params params_;
};

}  // namespace roclip
