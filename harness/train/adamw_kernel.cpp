#include "harness/train/adamw_kernel.h"

#include <cmath>

#include "roclip/simd.h"

namespace roclip::bench {

ROCLIP_SIMD
void adamw_step(float* __restrict values, const float* __restrict gradients, float* __restrict mean,
                float* __restrict square, std::int64_t n, const AdamWStep& step) {
  const AdamWStep s = step;
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = gradients[i];
    mean[i] += (g - mean[i]) * (1 - s.beta1);
    square[i] = square[i] * s.beta2 + g * g * (1 - s.beta2);
    values[i] = values[i] * s.keep - s.rate * mean[i] / (std::sqrt(square[i]) * s.root_correct + s.epsilon);
  }
}

}  // namespace roclip::bench
