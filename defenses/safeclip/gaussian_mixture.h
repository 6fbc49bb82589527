/// A mixture of two normal distributions on a line, fitted by expectation maximisation.
#pragma once

#include <array>

#include <torch/types.h>

namespace roclip {

struct GaussianMixture {
  std::array<double, 2> weight, mean, variance;  ///< of the component with the lower mean, then the higher one

  /// ln(p / (1 - p)), where p is the probability that x is of the component with the higher mean. Finite: it tells
  /// values apart whose p would be rounded to 1.
  double log_odds(double x) const;
};

/// Starts from the two means of k-means, which itself starts from the halves below and above the median, so nothing is
/// drawn. Variances are at least 1e-6 of that of all values, as in scikit-learn for values of variance 1.
/// @param values f64 [N], finite, on the CPU. @pre N >= 2. Equal values give two equal components
GaussianMixture fit_two_gaussians(const torch::Tensor& values);

}  // namespace roclip
