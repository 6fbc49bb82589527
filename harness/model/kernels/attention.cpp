#include "harness/model/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "harness/record/simd.h"

namespace roclip::bench {

std::int64_t attention_weights(std::span<const std::int64_t> starts, std::int64_t heads) {
  std::int64_t count = 0;
  for (std::size_t b = 0; b + 1 < starts.size(); ++b)
    count += (starts[b + 1] - starts[b]) * (starts[b + 1] - starts[b]);
  return count * heads;
}

ROCLIP_SIMD
void attention_forward(const float* qkv, std::span<const std::int64_t> starts, std::int64_t heads, std::int64_t head,
                       bool causal, float* weights, float* out) {
  const std::int64_t width = heads * head, stride = 3 * width;
  const float scale = 1 / std::sqrt(static_cast<float>(head));
  for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
    const std::int64_t begin = starts[b], n = starts[b + 1] - begin;
    for (std::int64_t h = 0; h < heads; ++h, weights += n * n) {
      const float* query = qkv + begin * stride + h * head;
      const float *key = query + width, *value = key + width;
      for (std::int64_t i = 0; i < n; ++i) {
        float* row = weights + i * n;
        const std::int64_t seen = causal ? i + 1 : n;
        std::fill_n(row + seen, n - seen, 0.0F);
        float largest = -INFINITY;
        for (std::int64_t j = 0; j < seen; ++j) {
          float score = 0;
          for (std::int64_t d = 0; d < head; ++d) score += query[i * stride + d] * key[j * stride + d];
          row[j] = score * scale;
          largest = std::max(largest, row[j]);
        }
        float sum = 0;
        for (std::int64_t j = 0; j < seen; ++j) {
          row[j] = std::exp(row[j] - largest);
          sum += row[j];
        }
        float* to = out + (begin + i) * width + h * head;
        std::fill_n(to, head, 0.0F);
        for (std::int64_t j = 0; j < seen; ++j) {
          row[j] /= sum;
          for (std::int64_t d = 0; d < head; ++d) to[d] += row[j] * value[j * stride + d];
        }
      }
    }
  }
}

ROCLIP_SIMD
void attention_backward(const float* qkv, const float* weights, const float* grad_out,
                        std::span<const std::int64_t> starts, std::int64_t heads, std::int64_t head, float* grad_qkv) {
  const std::int64_t width = heads * head, stride = 3 * width;
  const float scale = 1 / std::sqrt(static_cast<float>(head));
  std::fill_n(grad_qkv, starts.back() * stride, 0.0F);
  std::vector<float> grad_row;
  for (std::size_t b = 0; b + 1 < starts.size(); ++b) {
    const std::int64_t begin = starts[b], n = starts[b + 1] - begin;
    grad_row.resize(static_cast<std::size_t>(n));
    for (std::int64_t h = 0; h < heads; ++h, weights += n * n) {
      const std::int64_t offset = begin * stride + h * head;
      const float *query = qkv + offset, *key = query + width, *value = key + width;
      float *grad_query = grad_qkv + offset, *grad_key = grad_query + width, *grad_value = grad_key + width;
      for (std::int64_t i = 0; i < n; ++i) {
        const float* row = weights + i * n;
        const float* grad = grad_out + (begin + i) * width + h * head;
        float mean = 0;  // of the gradients of this row's weights, under the weights
        for (std::int64_t j = 0; j < n; ++j) {
          float dot = 0;
          for (std::int64_t d = 0; d < head; ++d) dot += grad[d] * value[j * stride + d];
          for (std::int64_t d = 0; d < head; ++d) grad_value[j * stride + d] += row[j] * grad[d];
          grad_row[static_cast<std::size_t>(j)] = dot;
          mean += dot * row[j];
        }
        for (std::int64_t j = 0; j < n; ++j) {
          const float g = row[j] * (grad_row[static_cast<std::size_t>(j)] - mean) * scale;
          for (std::int64_t d = 0; d < head; ++d) {
            grad_query[i * stride + d] += g * key[j * stride + d];
            grad_key[j * stride + d] += g * query[i * stride + d];
          }
        }
      }
    }
  }
}

}  // namespace roclip::bench
