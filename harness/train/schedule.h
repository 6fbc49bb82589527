/// Learning rate by step.
#pragma once

#include <cstdint>

namespace roclip::bench {

/// Linear warm-up over the first `warmup` steps, then a half cosine to zero (as CLIP and the RoCLIP authors do, without
/// their off-by-one epoch). @param step 0-based. @pre 0 <= step < total, 0 <= warmup <= total
double learning_rate_at(std::int64_t step, std::int64_t total, std::int64_t warmup, double peak);

}  // namespace roclip::bench
