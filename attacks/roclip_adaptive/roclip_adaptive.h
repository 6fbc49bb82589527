/// An adaptive attack against RoCLIP, of our own: the attacker knows in which epochs captions are matched, and gives a
/// part of his poisons captions that matching does not take away.
#pragma once

#include <string>

#include "roclip/backdoor.h"

namespace roclip {

struct RoclipAdaptiveParams : PoisonAmount, PatchSize {
  std::string target_class;
  double anchors = -1;
  bool bridge = false;

  void declare(ParamList& list);
};

class RoclipAdaptive : public Attack {
 public:
  using Params = RoclipAdaptiveParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set.
  explicit RoclipAdaptive(const Params& params);

  bool knows_defense() const override { return true; }
  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;
  std::optional<torch::Tensor> trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const override;

  /// The share of poisons that are anchors, against that defense. @param defense as AttackView::defense
  double anchors_against(const Json& defense) const;

 private:
  Params params_;
};

}  // namespace roclip
