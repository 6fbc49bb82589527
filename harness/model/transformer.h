/// The transformer of both towers: pre-norm (Vaswani et al. 2017, arXiv 1706.03762; pre-norm as in Radford et al. 2021,
/// arXiv 2103.00020). Its parameters have the names of open_clip, so that weights go in and out without a map.
#pragma once

#include <functional>

#include <torch/nn/modules/container/modulelist.h>
#include <torch/types.h>

namespace roclip::bench {

/// Who looks at whom, and where the sequences begin, is its business: the rows of a batch lie one after another.
/// It may be called again in the backward pass, so it owns what it needs.
/// qkv f32 [T, 3W], queries, keys and values, heads side by side in each -> [T, W]
using Attention = std::function<torch::Tensor(const torch::Tensor& qkv, std::int64_t heads)>;

enum class Activation {
  kGelu,
  kQuickGelu,  ///< x * sigmoid(1.702 x), of OpenAI's weights
};

struct TransformerOptions {
  std::int64_t width, layers, heads, mlp_width;
  Activation activation = Activation::kGelu;
};

class TransformerImpl : public torch::nn::Module {
 public:
  /// Draws the weights from LibTorch's global generator, as its own layers do; residual branches start at half of that.
  explicit TransformerImpl(const TransformerOptions& options);

  /// f32 [T, W] -> f32 [T, W]
  /// @param recompute whether each layer keeps its input only, and is computed again in the backward pass
  torch::Tensor forward(torch::Tensor x, const Attention& attention, bool recompute);
  /// The initial weights of the text tower of Radford et al. 2021 (open_clip model.py, init_parameters) instead.
  void draw_as_text_tower();

 private:
  TransformerOptions options_;
  torch::nn::ModuleList resblocks_;
};
TORCH_MODULE(Transformer);

/// Softmax attention between all rows of each of `batch` sequences of equal length.
Attention dense_attention(std::int64_t batch);

}  // namespace roclip::bench
