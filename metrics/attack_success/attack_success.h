/// How often the attack got what it wanted. Targeted poisoning: target images classified as their adversarial class.
/// Backdoor: triggered held-out images of other classes classified as the target class. The classifier is the
/// zero-shot one.
#pragma once

#include "roclip/metric.h"

namespace roclip {

class AttackSuccess : public Metric {
 public:
  using Params = NoParams;
  explicit AttackSuccess(const Params&) {}

  Better better() const override { return Better::kLower; }
  Measures measures() const override { return Measures::kAttackSuccess; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;
};

}  // namespace roclip
