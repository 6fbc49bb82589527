/// Intervals of counts.
#pragma once

#include <cstdint>

namespace roclip::bench {

struct Interval {
  double low, high;
};

/// Wilson score interval of k of n at 95 % (Wilson 1927): keeps its coverage for k = 0 and small n, where the usual
/// p +- 1.96 se collapses to a point. @pre 0 <= hits <= trials, trials > 0
Interval wilson_95(std::int64_t hits, std::int64_t trials);

}  // namespace roclip::bench
