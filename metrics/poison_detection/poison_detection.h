/// How well the suspicion scores of a defense tell poisons from clean pairs. The model is not looked at.
#pragma once

#include "roclip/metric.h"

namespace roclip {

class PoisonDetection : public Metric {
 public:
  using Params = NoParams;
  explicit PoisonDetection(const Params&) {}

  Measures measures() const override { return Measures::kDetection; }
  std::string headline() const override { return "auroc"; }
  bool needs_held_out() const override { return false; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;
};

}  // namespace roclip
