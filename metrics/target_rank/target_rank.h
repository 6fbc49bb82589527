/// How near an attack comes to its goal: the rank of the class that the attacker wants. It still moves where attack
/// success is 0 % or 100 %.
#pragma once

#include "roclip/metric.h"

namespace roclip {

class TargetRank : public Metric {
 public:
  using Params = NoParams;
  explicit TargetRank(const Params&) {}

  Measures measures() const override { return Measures::kOther; }
  std::string headline() const override { return "mean_rank"; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;
};

/// The middle of the sorted ranks; of an even number, the mean of the middle two. @param ranks i64 [N], N > 0
double median_rank(const torch::Tensor& ranks);

}  // namespace roclip
