/// Accuracy under attack: attacked images that the zero-shot classifier still gives their true class.
#pragma once

#include "roclip/metric.h"

namespace roclip {

class PoisonedAccuracy : public Metric {
 public:
  using Params = NoParams;
  explicit PoisonedAccuracy(const Params&) {}

  Measures measures() const override { return Measures::kOther; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;
};

}  // namespace roclip
