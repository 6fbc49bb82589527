/// Attack success in each way to use one model: zero-shot classification, a linear probe and nearest neighbours of its
/// features, and retrieval both ways. An attack that one of them does not see may be alive in another.
#pragma once

#include <cstdint>
#include <string>

#include "roclip/metric.h"

namespace roclip {

struct FootprintParams {
  std::int64_t neighbours = 20;
  double temperature = 0.07;

  void declare(ParamList& list);
};

class Footprint : public Metric {
 public:
  using Params = FootprintParams;
  explicit Footprint(const Params& params) : params_(params) {}

  Better better() const override { return Better::kLower; }
  Measures measures() const override { return Measures::kOther; }
  std::string headline() const override { return "worst"; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;

 private:
  Params params_;
};

/// Votes of the nearest of P neighbours, each with the weight exp(similarity / temperature).
/// @param similarities f32 [N, P]. @param labels i64 [P], in [0, classes).  @return f64 [N, classes].
torch::Tensor neighbour_votes(const torch::Tensor& similarities, const torch::Tensor& labels, std::int64_t classes,
                              const FootprintParams& params);

}  // namespace roclip
