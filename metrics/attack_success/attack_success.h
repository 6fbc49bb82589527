/// How often the attack got what it wanted. Targeted poisoning: target images classified as their adversarial class.
/// Backdoor: triggered held-out images of other classes classified as the target class. The classifier is the
/// zero-shot one.
#pragma once

#include <string>
#include <vector>

#include "roclip/metric.h"

namespace roclip {

struct AttackSuccessParams {
  std::string denominator = "other_classes";
  std::vector<std::string> also = {};
  std::string source_class = "";

  void declare(ParamList& list);
};

class AttackSuccess : public Metric {
 public:
  using Params = AttackSuccessParams;
  /// @throws Error(kMatrix) if source_class is given without its denominator, or the reverse
  explicit AttackSuccess(const Params& params);

  Better better() const override { return Better::kLower; }
  Measures measures() const override { return Measures::kAttackSuccess; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;

 private:
  Params params_;
};

}  // namespace roclip
