/// A linear classifier of frozen features: what a linear probe (Radford et al. 2021, arXiv 2103.00020, section 3.2)
/// fits on clean, labelled images. It is also the simplest defense: who trusts no text tower uses it alone.
#pragma once

#include <cstdint>

#include <torch/types.h>

#include "roclip/params.h"

namespace roclip {

struct LinearFit {
  double l2 = 1e-3;
  std::int64_t max_iterations = 100;

  void declare(ParamList& list);
};

/// logits = (features - mean) / scale * weight + bias. All on the device of the features that it was fitted on.
struct LinearClassifier {
  torch::Tensor mean, scale;  ///< [F], of the features that it was fitted on; scale is above 0
  torch::Tensor weight;       ///< [F, C]
  torch::Tensor bias;         ///< [C]
  double loss;                ///< value of the objective there
  double max_gradient;        ///< largest absolute entry of its gradient there: near 0 once it has converged

  /// @param features [N, F]. @return [N, C]
  torch::Tensor logits(const torch::Tensor& features) const;
};

/// Multinomial logistic regression on standardised features: the minimum of mean cross-entropy + l2 / 2 * |weight|^2,
/// by L-BFGS from zero. Strictly convex in the weights, so there is one answer. Works in a caller's no-grad mode.
/// @param features f32 or f64 [N, F], N > 0; decides the precision, but for the sum of the objective, which is f64.
/// @param labels i64 [N], in [0, classes), on the same device.
LinearClassifier fit_classifier(const torch::Tensor& features, const torch::Tensor& labels, std::int64_t classes,
                                const LinearFit& fit = {});

}  // namespace roclip
