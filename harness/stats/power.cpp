#include "harness/stats/power.h"

#include <cmath>

namespace roclip::bench {

namespace {

/// Of n fair coins all show the same side with probability 2 / 2^n.
std::int64_t fewest_equal_coins() {
  std::int64_t n = 1;
  while (2 * std::pow(0.5, n) >= 0.05) ++n;
  return n;
}

}  // namespace

std::int64_t fewest_discordant_items() { return fewest_equal_coins(); }
std::int64_t fewest_seeds() { return fewest_equal_coins(); }

}  // namespace roclip::bench
