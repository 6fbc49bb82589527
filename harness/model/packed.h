/// Operations on sequences of unequal length that lie one after another in one tensor, without padding.
///
/// Most captions are shorter than the longest, and LibTorch without MKL runs a batched product as one small product
/// after another: attention by bmm took a quarter of a step of the tiny model. Here no padding is computed, and on the
/// CPU each sequence is a few hundred multiplications in plain loops.
#pragma once

#include <cstdint>

#include <torch/types.h>

namespace roclip::bench {

/// Where the sequences of a batch of padded rows begin. Sequence b is the rows starts[b] .. starts[b + 1).
struct Packing {
  torch::Tensor rows;    ///< i64 [T], places of the tokens in the flattened [B, L]
  torch::Tensor places;  ///< i64 [T], of each token within its sequence
  torch::Tensor owners;  ///< i64 [T], the sequence of each token
  torch::Tensor starts;  ///< i64 [B + 1], on the CPU
  std::int64_t length;   ///< L
};
/// @param is_token bool [B, L]
Packing pack(const torch::Tensor& is_token);

/// Scaled dot-product self-attention within each sequence (Vaswani et al. 2017). Differentiable once.
/// @param qkv [T, 3W]: queries, keys and values; heads side by side in each. @param causal a token sees itself and
/// those before it only. @return [T, W]
torch::Tensor packed_attention(const torch::Tensor& qkv, const Packing& packing, std::int64_t heads, bool causal);

/// Mean of each sequence; 0 for one without tokens. Differentiable once. @param x f32 [T, W]. @return f32 [B, W]
torch::Tensor packed_mean(const torch::Tensor& x, const Packing& packing);
/// The last token of each sequence. @pre none is empty. @param x [T, W]. @return [B, W]
torch::Tensor packed_last(const torch::Tensor& x, const Packing& packing);

}  // namespace roclip::bench
