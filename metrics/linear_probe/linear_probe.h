/// Linear probe: how well a linear classifier reads the classes off the frozen image features. It is fitted on the
/// clean, labelled probe set and judged on the held-out images.
#pragma once

#include "roclip/linear_classifier.h"
#include "roclip/metric.h"

namespace roclip {

class LinearProbe : public Metric {
 public:
  using Params = LinearFit;
  explicit LinearProbe(const Params& params) : params_(params) {}

  bool transfers() const override { return true; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;

 private:
  Params params_;
};

}  // namespace roclip
