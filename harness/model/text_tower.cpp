#include <cmath>

#include <torch/nn/init.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

#include "harness/model/towers.h"

namespace roclip::bench {

namespace nn = torch::nn;

namespace {

class TransformerTextTower final : public TextTower {
 public:
  TransformerTextTower(const TextSpec& spec, const TokenIds& ids)
      : spec_(spec),
        first_id_(ids.first),
        token_embedding_(register_module("token_embedding", nn::Embedding(ids.count, spec.transformer.width))) {
    const auto width = spec.transformer.width;
    const bool as_clip = spec.pool == TextSpec::Pool::kLast;
    nn::init::normal_(token_embedding_->weight, 0, as_clip ? 0.02 : 0.05);
    positions_ = register_parameter("positional_embedding", torch::randn({spec.context_length, width}) * 0.01);
    transformer_ = register_module("transformer", Transformer(spec.transformer));
    if (as_clip) transformer_->draw_as_text_tower();
    ln_final_ = register_module("ln_final", nn::LayerNorm(nn::LayerNormOptions({width})));
  }

  void add_projection(std::int64_t embedding_dim) override {
    const auto width = spec_.transformer.width;
    const auto options = nn::LinearOptions(width, embedding_dim).bias(false);
    projection_ = register_module("text_projection", nn::Linear(options));
    if (spec_.pool == TextSpec::Pool::kLast) {
      nn::init::normal_(projection_->weight, 0, 1 / std::sqrt(static_cast<double>(width)));
    }
  }
  torch::Tensor project(const torch::Tensor& features) override { return projection_(features); }

  torch::Tensor features(const torch::Tensor& tokens) override {
    const auto packing = pack(tokens != 0);
    const auto x = words(tokens, packing);
    return spec_.pool == TextSpec::Pool::kMean ? packed_mean(x, packing) : packed_last(x, packing);
  }

  torch::Tensor words(const torch::Tensor& tokens, const Packing& packing) override {
    auto ids = tokens.flatten().index_select(0, packing.rows) - first_id_;
    if (packing.has_padding()) ids = ids.clamp_min(0);  // padding takes the first embedding, and nothing attends to it
    const auto x = token_embedding_(ids) + torch::embedding(positions_, packing.places);
    const auto attention = [packing, causal = spec_.causal](const torch::Tensor& qkv, std::int64_t heads) {
      return packed_attention(qkv, packing, heads, causal);
    };
    return ln_final_(transformer_(x, attention, recompute_layers_));
  }

 private:
  TextSpec spec_;
  std::int64_t first_id_;
  nn::Embedding token_embedding_;
  torch::Tensor positions_;  ///< f32 [context_length, width]
  Transformer transformer_{nullptr};
  nn::LayerNorm ln_final_{nullptr};
  nn::Linear projection_{nullptr};
};

}  // namespace

std::shared_ptr<TextTower> make_text_tower(const TextSpec& spec, const TokenIds& ids) {
  return std::make_shared<TransformerTextTower>(spec, ids);
}

}  // namespace roclip::bench
