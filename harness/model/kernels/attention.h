/// The loops of packed.h for the CPU. Row-major; T tokens, W = heads * head columns; starts as in Packing.
#pragma once

#include <cstdint>
#include <span>

namespace roclip::bench {

/// Attention weights a sequence and a head have: length^2. @return their sum over all sequences and heads
std::int64_t attention_weights(std::span<const std::int64_t> starts, std::int64_t heads);

/// @param qkv [T, 3W] @param causal weights of later tokens are 0 @param weights attention_weights() long, written
/// @param out [T, W], written
void attention_forward(const float* qkv, std::span<const std::int64_t> starts, std::int64_t heads, std::int64_t head,
                       bool causal, float* weights, float* out);
/// @param weights of attention_forward() @param grad_out [T, W] @param grad_qkv [T, 3W], written
void attention_backward(const float* qkv, const float* weights, const float* grad_out,
                        std::span<const std::int64_t> starts, std::int64_t heads, std::int64_t head, float* grad_qkv);

}  // namespace roclip::bench
