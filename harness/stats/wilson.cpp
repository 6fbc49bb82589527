#include "harness/stats/wilson.h"

#include <algorithm>
#include <cmath>

namespace roclip::bench {

Interval wilson_95(std::int64_t hits, std::int64_t trials) {
  constexpr double z = 1.959963984540054;  // 97.5 % quantile of the normal distribution
  const double n = static_cast<double>(trials), p = static_cast<double>(hits) / n;
  const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

}  // namespace roclip::bench
