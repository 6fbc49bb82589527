/// Zero-shot accuracy (Radford et al. 2021, arXiv 2103.00020): the class whose prompts are nearest to the image.
#pragma once

#include "roclip/metric.h"

namespace roclip {

class ZeroShot : public Metric {
 public:
  using Params = NoParams;
  explicit ZeroShot(const Params&) {}

  bool transfers() const override { return true; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;
};

}  // namespace roclip
