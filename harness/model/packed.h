/// Operations on sequences of unequal length that lie one after another in one tensor, without padding.
///
/// Most captions are shorter than the longest, and LibTorch without MKL runs a batched product as one small product
/// after another: attention by bmm took a quarter of a step of the tiny model. Here no padding is computed, and on the
/// CPU each sequence is a few hundred multiplications in plain loops. A GPU is faster with padding, whose shape is
/// known without waiting for it.
#pragma once

#include <cstdint>

#include <torch/types.h>

namespace roclip::bench {

/// Where the sequences of a batch of padded rows are. T counts the tokens, or everything if padding was kept.
struct Packing {
  torch::Tensor is_token;  ///< bool [B, L]
  torch::Tensor rows;      ///< i64 [T], places in the flattened [B, L]
  torch::Tensor places;    ///< i64 [T], of each within its sequence
  torch::Tensor owners;    ///< i64 [T], the sequence of each
  torch::Tensor starts;    ///< i64 [B + 1]: sequence b is starts[b] .. starts[b + 1); undefined if padding was kept

  bool has_padding() const { return !starts.defined(); }
};
/// @param is_token bool [B, L] @param keep_padding spares a GPU that the host waits for it
Packing pack(const torch::Tensor& is_token, bool keep_padding);
/// Padding is kept unless that is on the CPU.
Packing pack(const torch::Tensor& is_token);

/// The same tokens with more padding, so that batches have few different widths: a GPU's libraries choose their kernels
/// anew for each shape, which takes longer than the padding. @param tokens i64 [B, L] @return i64 [B, L'], L' the next
/// multiple of 8, at most `longest`
torch::Tensor in_few_widths(const torch::Tensor& tokens, std::int64_t longest);

/// Scaled dot-product self-attention within each sequence (Vaswani et al. 2017). Differentiable once.
/// @param qkv [T, 3W]: queries, keys and values; heads side by side in each. @param causal a token sees itself and
/// those before it only. @return [T, W]
torch::Tensor packed_attention(const torch::Tensor& qkv, const Packing& packing, std::int64_t heads, bool causal);

/// Mean of each sequence; 0 for one without tokens. Differentiable once. @param x f32 [T, W]. @return f32 [B, W]
torch::Tensor packed_mean(const torch::Tensor& x, const Packing& packing);
/// The last token of each sequence. @pre none is empty. @param x [T, W]. @return [B, W]
torch::Tensor packed_last(const torch::Tensor& x, const Packing& packing);

}  // namespace roclip::bench
