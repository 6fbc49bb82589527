#include <cmath>

#include <torch/nn/init.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/utils.h>

#include "harness/model/towers.h"

namespace roclip::bench {

namespace nn = torch::nn;

namespace {

/// The vision transformer of CLIP (Dosovitskiy et al. 2021, arXiv 2010.11929; with a norm before the transformer,
/// Radford et al. 2021). Parameters are named as in open_clip's VisionTransformer.
class VitTower final : public ImageTower {
 public:
  VitTower(const VitSpec& spec, std::int64_t image_px) : spec_(spec) {
    const auto width = spec.transformer.width, side = image_px / spec.patch_px;
    const double scale = 1 / std::sqrt(static_cast<double>(width));
    const auto patches = nn::Conv2dOptions(3, width, spec.patch_px).stride(spec.patch_px).bias(false);
    conv1_ = register_module("conv1", nn::Conv2d(patches));
    class_embedding_ = register_parameter("class_embedding", torch::randn({width}) * scale);
    positions_ = register_parameter("positional_embedding", torch::randn({side * side + 1, width}) * scale);
    ln_pre_ = register_module("ln_pre", nn::LayerNorm(nn::LayerNormOptions({width})));
    transformer_ = register_module("transformer", Transformer(spec.transformer));
    ln_post_ = register_module("ln_post", nn::LayerNorm(nn::LayerNormOptions({width})));
  }

  void add_projection(std::int64_t embedding_dim) override {
    const auto width = spec_.transformer.width;
    projection_ = register_module("proj", nn::Linear(nn::LinearOptions(width, embedding_dim).bias(false)));
    nn::init::normal_(projection_->weight, 0, 1 / std::sqrt(static_cast<double>(width)));
  }
  torch::Tensor project(const torch::Tensor& features) override { return projection_(features); }

  torch::Tensor features(const torch::Tensor& pixels) override { return ln_post_(encode(pixels).select(1, 0)); }
  torch::Tensor places(const torch::Tensor& pixels) override { return ln_post_(encode(pixels).slice(1, 1)); }

 private:
  /// f32 [B, 1 + places, W]: the class token, then the places
  torch::Tensor encode(const torch::Tensor& pixels) {
    const auto maps = conv1_(normalised(pixels, spec_.norm)).to(positions_.dtype());
    const auto patches = maps.flatten(2).transpose(1, 2);  // [B, T, W]
    const auto batch = patches.size(0), width = patches.size(2);
    const auto first = class_embedding_.expand({batch, 1, width});
    const auto x = ln_pre_(torch::cat({first, patches}, 1) + positions_);
    return transformer_(x.flatten(0, 1), dense_attention(batch), recompute_layers_).view({batch, -1, width});
  }

  VitSpec spec_;
  nn::Conv2d conv1_{nullptr};
  torch::Tensor class_embedding_, positions_;
  nn::LayerNorm ln_pre_{nullptr};
  Transformer transformer_{nullptr};
  nn::LayerNorm ln_post_{nullptr};
  nn::Linear projection_{nullptr};
};

}  // namespace

std::shared_ptr<ImageTower> make_vit_tower(const VitSpec& spec, std::int64_t image_px) {
  return std::make_shared<VitTower>(spec, image_px);
}

}  // namespace roclip::bench
