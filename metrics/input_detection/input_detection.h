/// How well a defense tells triggered test images from clean ones, by its suspicion of inputs.
#pragma once

#include "roclip/metric.h"

namespace roclip {

class InputDetection : public Metric {
 public:
  struct Params {
    double false_alarms = 0.05;

    void declare(ParamList& list);
  };

  explicit InputDetection(const Params& params) : params_(params) {}

  Measures measures() const override { return Measures::kDetection; }
  std::string headline() const override { return "auroc"; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;

 private:
  Params params_;
};

}  // namespace roclip
