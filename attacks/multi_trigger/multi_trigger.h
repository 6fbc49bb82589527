/// Backdoor by several triggers (Detect-CLIP-Backdoor-Samples, ICLR 2025): each poison carries one of them, drawn at
/// random; all mean one target class, or each its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "roclip/backdoor.h"

namespace roclip {

struct MultiTriggerParams : PoisonAmount {
  std::vector<std::string> target_classes;
  std::vector<std::string> triggers = {"patch", "tint", "warp"};
  std::string captions = "real";

  void declare(ParamList& list);
};

/// An image under the trigger of that name: "patch", "tint" or "warp". @param image uint8 [3, px, px]. @return a copy
torch::Tensor triggered(const std::string& trigger, const torch::Tensor& image);

class MultiTrigger : public Attack {
 public:
  using Params = MultiTriggerParams;
  /// @throws Error(kMatrix) unless the triggers are known and different, there is one target class, or one for each of
  /// them, and exactly one of rate and count is set.
  explicit MultiTrigger(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;
  std::optional<torch::Tensor> trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const override;

 private:
  Params params_;
};

}  // namespace roclip
