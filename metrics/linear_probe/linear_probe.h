/// Linear probe: how well a linear classifier reads the classes off the frozen image features. It is fitted on the
/// clean, labelled probe set and judged on the held-out images.
#pragma once

#include <cstdint>

#include "roclip/metric.h"

namespace roclip {

struct LinearProbeParams {
  double l2 = 1e-3;
  std::int64_t max_iterations = 100;

  void declare(ParamList& list);
};

/// logits = features * weight + bias.
struct LinearClassifier {
  torch::Tensor weight;  ///< [F, C]
  torch::Tensor bias;    ///< [C]
  double loss;           ///< value of the objective there
  double max_gradient;   ///< largest absolute entry of its gradient there: near 0 once it has converged

  torch::Tensor logits(const torch::Tensor& features) const { return features.matmul(weight) + bias; }
};

/// Multinomial logistic regression: the minimum of mean cross-entropy + l2 / 2 * |weight|^2, by L-BFGS from zero.
/// Strictly convex in the weights, so there is one answer. Works in a caller's no-grad mode.
/// @param features f32 or f64 [N, F]; decides the precision, but for the sum of the objective, which is f64.  @param
/// labels i64 [N], in [0, classes), on the same device.
LinearClassifier fit_classifier(const torch::Tensor& features, const torch::Tensor& labels, std::int64_t classes,
                                const LinearProbeParams& params);

class LinearProbe : public Metric {
 public:
  using Params = LinearProbeParams;
  explicit LinearProbe(const Params& params) : params_(params) {}

  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;

 private:
  Params params_;
};

}  // namespace roclip
