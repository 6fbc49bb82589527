/// The two encoders. Included by clip.cpp and the tests of the towers only: torch's module headers compile slowly.
#pragma once

#include <torch/torch.h>

#include "harness/model/clip.h"
#include "harness/model/packed.h"

namespace roclip::bench {

/// Residual network (He et al. 2016, arXiv 1512.03385) on a patch stem, global average pooling.
class ImageTowerImpl : public torch::nn::Module {
 public:
  explicit ImageTowerImpl(const ModelParams& params);
  /// f32 [B, 3, H, W] in 0..1 -> f32 [B, F]
  torch::Tensor forward(const torch::Tensor& pixels) { return places(pixels).mean({1, 2}); }
  /// What is pooled: f32 [B, H', W', F].
  torch::Tensor places(const torch::Tensor& pixels);

 private:
  torch::nn::ModuleList blocks_;
};
TORCH_MODULE(ImageTower);

/// Pre-norm transformer encoder (Vaswani et al. 2017, arXiv 1706.03762; pre-norm as in CLIP), mean over the words.
/// Without a causal mask: nothing is generated, and every word may see every other.
class TextTowerImpl : public torch::nn::Module {
 public:
  TextTowerImpl(const ModelParams& params, std::int64_t vocabulary_size);
  /// i64 [B, L], 0 = padding -> f32 [B, text_width]
  torch::Tensor forward(const torch::Tensor& tokens);
  /// What is pooled: f32 [T, text_width], all tokens of a batch.
  torch::Tensor words(const torch::Tensor& tokens, const Packing& packing);

 private:
  torch::nn::Embedding words_{nullptr};
  torch::Tensor positions_;  ///< f32 [context_length, text_width]
  torch::nn::ModuleList layers_;
  torch::nn::LayerNorm norm_{nullptr};
};
TORCH_MODULE(TextTower);

}  // namespace roclip::bench
