/// The loop of AdamW for the CPU.
#pragma once

#include <cstdint>

namespace roclip::bench {

struct AdamWStep {
  float beta1, beta2, epsilon;
  float rate;          ///< learning rate over the correction of the mean
  float root_correct;  ///< 1 over the root of the correction of the square
  float keep;          ///< 1 - learning rate * weight decay
};

/// One step on n values, all in one pass. All arrays have n entries and do not overlap.
void adamw_step(float* values, const float* gradients, float* mean, float* square, std::int64_t n,
                const AdamWStep& step);

}  // namespace roclip::bench
