#include "harness/data/clean_subset.h"

#include <algorithm>
#include <cmath>

#include "roclip/rng.h"

namespace roclip::bench {

std::vector<std::int64_t> clean_subset(std::int64_t pairs, double share) {
  const auto count = std::llround(share * static_cast<double>(pairs));
  auto indices = Rng(stream(0, "clean subset")).sample(pairs, count);
  std::ranges::sort(indices);
  return indices;
}

}  // namespace roclip::bench
