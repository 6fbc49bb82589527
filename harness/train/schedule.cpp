#include "harness/train/schedule.h"

#include <cmath>
#include <numbers>

namespace roclip::bench {

double learning_rate_at(std::int64_t step, std::int64_t total, std::int64_t warmup, double peak) {
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const double progress = static_cast<double>(step - warmup) / static_cast<double>(total - warmup);
  return peak * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

}  // namespace roclip::bench
