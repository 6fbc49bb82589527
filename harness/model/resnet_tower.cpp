#include <cmath>

#include <torch/nn/init.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include "harness/model/batch_norm.h"
#include "harness/model/recompute.h"
#include "harness/model/towers.h"
#include "harness/record/torch_compat.h"

namespace roclip::bench {

namespace nn = torch::nn;

namespace {

nn::Conv2d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride = 1) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

/// A bottleneck whose stride is an average pool before the last convolution. Named as in open_clip's Bottleneck.
class BottleneckImpl : public nn::Module {
 public:
  static constexpr std::int64_t kExpansion = 4;

  BottleneckImpl(std::int64_t in, std::int64_t width, std::int64_t stride) : stride_(stride) {
    const auto out = kExpansion * width;
    const auto add = [&](const std::string& number, const nn::Conv2d& conv) {
      convs_.push_back(register_module("conv" + number, conv));
      norms_.push_back(register_module("bn" + number, BatchNorm(conv->options.out_channels())));
    };
    add("1", convolution(in, width, 1));
    add("2", convolution(width, width, 3));
    add("3", convolution(width, out, 1));
    nn::init::zeros_(norms_.back()->weight);
    if (stride > 1 || in != out) {
      downsample_->push_back(convolution(in, out, 1));
      downsample_->push_back(BatchNorm(out));
      register_module("downsample", downsample_);
    }
  }

  torch::Tensor forward(const torch::Tensor& x) {
    const auto pooled = [&](const torch::Tensor& y) { return stride_ > 1 ? torch::avg_pool2d(y, stride_) : y; };
    auto y = torch::relu(norms_[0](convs_[0](x)));
    y = torch::relu(norms_[1](convs_[1](y)));
    y = norms_[2](convs_[2](pooled(y)));
    auto identity = x;
    if (!downsample_->is_empty()) {
      identity = downsample_->at<nn::Conv2dImpl>(0).forward(pooled(x));
      identity = downsample_->at<BatchNormImpl>(1).forward(identity);
    }
    return torch::relu(y + identity);
  }

 private:
  std::int64_t stride_;
  std::vector<nn::Conv2d> convs_;
  std::vector<BatchNorm> norms_;
  nn::ModuleList downsample_;
};
TORCH_MODULE(Bottleneck);

/// Attention of the mean over all places: its values are the features, and c_proj is the tower's projection.
class AttentionPoolImpl : public nn::Module {
 public:
  AttentionPoolImpl(std::int64_t places, std::int64_t width, std::int64_t heads) : width_(width), heads_(heads) {
    const double scale = 1 / std::sqrt(static_cast<double>(width));
    positions_ = register_parameter("positional_embedding", torch::randn({places + 1, width}) * scale);
    const auto add = [&](const std::string& name, nn::Linear& linear) {
      linear = register_module(name, nn::Linear(width, width));
      nn::init::normal_(linear->weight, 0, scale);
    };
    add("k_proj", k_proj_);
    add("q_proj", q_proj_);
    add("v_proj", v_proj_);
  }

  void add_projection(std::int64_t embedding_dim) {
    c_proj_ = register_module("c_proj", nn::Linear(width_, embedding_dim));
    nn::init::normal_(c_proj_->weight, 0, 1 / std::sqrt(static_cast<double>(width_)));
  }
  torch::Tensor project(const torch::Tensor& features) { return c_proj_(features); }

  /// f32 [B, F, H, W] -> f32 [B, F]
  torch::Tensor features(const torch::Tensor& maps) {
    const auto x = with_mean(maps);
    const auto batch = x.size(0);
    const auto by_head = [&](const torch::Tensor& y) {
      return y.view({batch, -1, heads_, width_ / heads_}).transpose(1, 2);
    };
    const auto query = q_proj_(x.slice(1, 0, 1));
    const auto pooled = softmax_attention(by_head(query), by_head(k_proj_(x)), by_head(v_proj_(x)));  // [B, heads, 1, ]
    return pooled.reshape({batch, width_});
  }
  /// f32 [B, T, F]: each place as if all attention were on it (Zhou et al. 2022, arXiv 2112.01071)
  torch::Tensor places(const torch::Tensor& maps) { return v_proj_(with_mean(maps).slice(1, 1)); }

 private:
  /// f32 [B, 1 + T, F]: the mean, then the places
  torch::Tensor with_mean(const torch::Tensor& maps) const {
    const auto places = maps.to(positions_.dtype()).flatten(2).transpose(1, 2);
    return torch::cat({places.mean(1, /*keepdim=*/true), places}, 1) + positions_;
  }

  std::int64_t width_, heads_;
  torch::Tensor positions_;
  nn::Linear k_proj_{nullptr}, q_proj_{nullptr}, v_proj_{nullptr}, c_proj_{nullptr};
};
TORCH_MODULE(AttentionPool);

/// The ResNet of Radford et al. 2021, section 2.4: a stem of three convolutions, average pooling before strides,
/// attention pooling. Named as in open_clip's ModifiedResNet.
class ResNetTower final : public ImageTower {
 public:
  ResNetTower(const ResNetSpec& spec, std::int64_t image_px) : norm_(spec.norm) {
    const auto width = spec.width;
    const auto add = [&](const std::string& number, const nn::Conv2d& conv) {
      stem_.push_back(register_module("conv" + number, conv));
      stem_norms_.push_back(register_module("bn" + number, BatchNorm(conv->options.out_channels())));
    };
    add("1", convolution(3, width / 2, 3, 2));
    add("2", convolution(width / 2, width / 2, 3));
    add("3", convolution(width / 2, width, 3));
    auto channels = width;
    for (std::size_t stage = 0; stage < spec.layers.size(); ++stage) {
      const auto stage_width = width << stage;
      nn::ModuleList blocks;
      for (std::int64_t block = 0; block < spec.layers[stage]; ++block) {
        blocks->push_back(Bottleneck(channels, stage_width, block == 0 && stage > 0 ? 2 : 1));
        channels = BottleneckImpl::kExpansion * stage_width;
      }
      stages_.push_back(register_module("layer" + std::to_string(stage + 1), blocks));
    }
    const auto side = image_px / 32;
    attnpool_ = register_module("attnpool", AttentionPool(side * side, channels, spec.heads));
    for (auto& weight : parameters()) {
      if (weight.dim() == 4) weight.set_data(weight.contiguous(torch::MemoryFormat::ChannelsLast));
    }
  }

  void add_projection(std::int64_t embedding_dim) override { attnpool_->add_projection(embedding_dim); }
  torch::Tensor project(const torch::Tensor& features) override { return attnpool_->project(features); }

  torch::Tensor features(const torch::Tensor& pixels) override { return attnpool_->features(maps(pixels)); }
  torch::Tensor places(const torch::Tensor& pixels) override { return attnpool_->places(maps(pixels)); }

 private:
  /// f32 [B, F, H / 32, W / 32]
  torch::Tensor maps(const torch::Tensor& pixels) {
    auto x = normalised(pixels, norm_).contiguous(torch::MemoryFormat::ChannelsLast);
    for (std::size_t i = 0; i < stem_.size(); ++i) x = torch::relu(stem_norms_[i](stem_[i](x)));
    x = torch::avg_pool2d(x, 2);
    for (const auto& stage : stages_) {
      for (const auto& block : *stage) {
        const auto layer = [block](const torch::Tensor& y) { return block->as<Bottleneck>()->forward(y); };
        x = recompute_layers_ ? recomputed(layer, x, *block) : layer(x);
      }
    }
    return x;
  }

  PixelNorm norm_;
  std::vector<nn::Conv2d> stem_;
  std::vector<BatchNorm> stem_norms_;
  std::vector<nn::ModuleList> stages_;
  AttentionPool attnpool_{nullptr};
};

}  // namespace

std::shared_ptr<ImageTower> make_resnet_tower(const ResNetSpec& spec, std::int64_t image_px) {
  return std::make_shared<ResNetTower>(spec, image_px);
}

}  // namespace roclip::bench
