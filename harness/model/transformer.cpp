#include "harness/model/transformer.h"

#include <cmath>

#include <torch/nn/init.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

#include "harness/model/recompute.h"
#include "harness/record/torch_compat.h"

namespace roclip::bench {

namespace nn = torch::nn;

namespace {

torch::Tensor activate(const torch::Tensor& x, Activation activation) {
  return activation == Activation::kGelu ? torch::gelu(x) : x * torch::sigmoid(1.702 * x);
}

/// A layer of the transformer. Submodules are named as in open_clip's ResidualAttentionBlock.
class BlockImpl : public nn::Module {
 public:
  explicit BlockImpl(const TransformerOptions& o)
      : options_(o), ln_1_(register_module("ln_1", nn::LayerNorm(nn::LayerNormOptions({o.width})))) {
    const auto qkv = nn::Linear(o.width, 3 * o.width);
    auto attention = std::make_shared<nn::Module>();
    in_proj_weight_ = attention->register_parameter("in_proj_weight", qkv->weight);
    in_proj_bias_ = attention->register_parameter("in_proj_bias", qkv->bias);
    out_proj_ = attention->register_module("out_proj", nn::Linear(o.width, o.width));
    register_module("attn", attention);
    ln_2_ = register_module("ln_2", nn::LayerNorm(nn::LayerNormOptions({o.width})));
    auto mlp = std::make_shared<nn::Module>();
    c_fc_ = mlp->register_module("c_fc", nn::Linear(o.width, o.mlp_width));
    c_proj_ = mlp->register_module("c_proj", nn::Linear(o.mlp_width, o.width));
    register_module("mlp", mlp);
    const torch::NoGradGuard no_grad;
    for (auto& branch : {out_proj_, c_proj_}) branch->weight.mul_(0.5);
  }

  torch::Tensor forward(torch::Tensor x, const Attention& attention) {
    const auto qkv = torch::linear(ln_1_(x), in_proj_weight_, in_proj_bias_);
    x = x + out_proj_(attention(qkv, options_.heads));
    return x + c_proj_(activate(c_fc_(ln_2_(x)), options_.activation));
  }

  void draw_as_text_tower() {
    const auto width = static_cast<double>(options_.width), layers = static_cast<double>(options_.layers);
    const double branch = 1 / std::sqrt(width * 2 * layers);
    nn::init::normal_(in_proj_weight_, 0, 1 / std::sqrt(width));
    nn::init::zeros_(in_proj_bias_);
    nn::init::normal_(out_proj_->weight, 0, branch);
    nn::init::zeros_(out_proj_->bias);
    nn::init::normal_(c_fc_->weight, 0, 1 / std::sqrt(2 * width));
    nn::init::normal_(c_proj_->weight, 0, branch);
  }

 private:
  TransformerOptions options_;
  nn::LayerNorm ln_1_;
  torch::Tensor in_proj_weight_, in_proj_bias_;
  nn::Linear out_proj_{nullptr};
  nn::LayerNorm ln_2_{nullptr};
  nn::Linear c_fc_{nullptr}, c_proj_{nullptr};
};
TORCH_MODULE(Block);

}  // namespace

TransformerImpl::TransformerImpl(const TransformerOptions& options) : options_(options) {
  for (std::int64_t layer = 0; layer < options.layers; ++layer) resblocks_->push_back(Block(options));
  register_module("resblocks", resblocks_);
}

torch::Tensor TransformerImpl::forward(torch::Tensor x, const Attention& attention, bool recompute) {
  for (const auto& block : *resblocks_) {
    const auto layer = [block, attention](const torch::Tensor& y) { return block->as<Block>()->forward(y, attention); };
    x = recompute ? recomputed(layer, x, *block) : layer(x);
  }
  return x;
}

void TransformerImpl::draw_as_text_tower() {
  for (const auto& block : *resblocks_) block->as<Block>()->draw_as_text_tower();
}

Attention dense_attention(std::int64_t batch) {
  return [batch](const torch::Tensor& qkv, std::int64_t heads) {
    const auto width = qkv.size(1) / 3, length = qkv.size(0) / batch;
    const auto parts = qkv.view({batch, length, 3, heads, width / heads}).permute({2, 0, 3, 1, 4});
    return softmax_attention(parts[0], parts[1], parts[2]).transpose(1, 2).reshape({batch * length, width});
  };
}

}  // namespace roclip::bench
