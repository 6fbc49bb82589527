#include "harness/model/towers.h"

#include "harness/model/conv_block.h"

namespace roclip::bench {

namespace nn = torch::nn;

namespace {

constexpr double kPixelMean = 0.5, kPixelDeviation = 0.28;  // of the emoji renderings; fixed, part of the model

class EncoderLayerImpl : public nn::Module {
 public:
  EncoderLayerImpl(std::int64_t width, std::int64_t heads, std::int64_t mlp_ratio)
      : heads_(heads),
        norm1_(register_module("norm1", nn::LayerNorm(nn::LayerNormOptions({width})))),
        qkv_(register_module("qkv", nn::Linear(width, 3 * width))),
        out_(register_module("out", nn::Linear(width, width))),
        norm2_(register_module("norm2", nn::LayerNorm(nn::LayerNormOptions({width})))),
        up_(register_module("up", nn::Linear(width, mlp_ratio * width))),
        down_(register_module("down", nn::Linear(mlp_ratio * width, width))) {
    const torch::NoGradGuard no_grad;
    for (auto& branch : {out_, down_}) branch->weight.mul_(0.5);  // residual branches start small
  }

  /// x f32 [T, W]: all tokens of a batch
  torch::Tensor forward(torch::Tensor x, const Packing& packing) {
    x = x + out_(packed_attention(qkv_(norm1_(x)), packing, heads_));
    return x + down_(torch::gelu(up_(norm2_(x))));
  }

 private:
  std::int64_t heads_;
  nn::LayerNorm norm1_;
  nn::Linear qkv_, out_;
  nn::LayerNorm norm2_;
  nn::Linear up_, down_;
};
TORCH_MODULE(EncoderLayer);

}  // namespace

ImageTowerImpl::ImageTowerImpl(const ModelParams& params) {
  const auto& widths = params.stage_widths;
  const auto push = [&](const ConvOptions& options) { blocks_->push_back(ConvBlock(options)); };
  push({3, widths[0], params.stem_kernel_px, params.stem_stride_px,
        (params.stem_kernel_px - params.stem_stride_px) / 2});
  for (std::size_t stage = 0; stage < widths.size(); ++stage) {
    if (stage > 0) push({widths[stage - 1], widths[stage], 3, 2, 1});
    // One convolution a residual block, which at this size earns more per second than the usual two.
    for (std::int64_t block = 0; block < params.stage_blocks[stage]; ++block) {
      push({widths[stage], widths[stage], 3, 1, 1, true});
    }
  }
  register_module("blocks", blocks_);
}

torch::Tensor ImageTowerImpl::places(const torch::Tensor& pixels) {
  auto x = ((pixels - kPixelMean) / kPixelDeviation).permute({0, 2, 3, 1}).contiguous();  // [B, H, W, 3]
  for (const auto& block : *blocks_) x = block->as<ConvBlock>()->forward(x);
  return x;
}

TextTowerImpl::TextTowerImpl(const ModelParams& params, std::int64_t vocabulary_size) {
  const auto width = params.text_width;
  words_ = register_module("words", nn::Embedding(vocabulary_size, width));
  nn::init::normal_(words_->weight, 0, 0.05);
  positions_ = register_parameter("positions", torch::randn({params.context_length, width}) * 0.01);
  for (std::int64_t layer = 0; layer < params.text_layers; ++layer) {
    layers_->push_back(EncoderLayer(width, params.text_heads, params.text_mlp_ratio));
  }
  register_module("layers", layers_);
  norm_ = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({width})));
}

torch::Tensor TextTowerImpl::forward(const torch::Tensor& tokens) {
  const auto packing = pack(tokens != Vocabulary::kPadding);
  return packed_mean(words(tokens, packing), packing);
}

torch::Tensor TextTowerImpl::words(const torch::Tensor& tokens, const Packing& packing) {
  auto x = words_(tokens.flatten().index_select(0, packing.rows)) + torch::embedding(positions_, packing.places);
  for (const auto& layer : *layers_) x = layer->as<EncoderLayer>()->forward(x, packing);
  return norm_(x);
}

}  // namespace roclip::bench
