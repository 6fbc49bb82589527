#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include "harness/model/conv_block.h"
#include "harness/model/recompute.h"
#include "harness/model/towers.h"

namespace roclip::bench {

namespace nn = torch::nn;

namespace {

constexpr double kPixelMean = 0.5, kPixelDeviation = 0.28;  // of the emoji renderings; fixed, part of the model

/// Residual network (He et al. 2016, arXiv 1512.03385) on a patch stem, global average pooling.
class ConvTower final : public ImageTower {
 public:
  explicit ConvTower(const ConvSpec& spec) : features_(spec.stage_widths.back()) {
    const auto& widths = spec.stage_widths;
    const auto push = [&](const ConvOptions& options) { blocks_->push_back(ConvBlock(options)); };
    push({3, widths[0], spec.stem_kernel_px, spec.stem_stride_px, (spec.stem_kernel_px - spec.stem_stride_px) / 2});
    for (std::size_t stage = 0; stage < widths.size(); ++stage) {
      if (stage > 0) push({widths[stage - 1], widths[stage], 3, 2, 1});
      // One convolution a residual block, which at this size earns more per second than the usual two.
      for (std::int64_t block = 0; block < spec.stage_blocks[stage]; ++block) {
        push({widths[stage], widths[stage], 3, 1, 1, true});
      }
    }
    register_module("blocks", blocks_);
  }

  void add_projection(std::int64_t embedding_dim) override {
    const auto options = nn::LinearOptions(features_, embedding_dim).bias(false);
    projection_ = register_module("proj", nn::Linear(options));
  }
  torch::Tensor project(const torch::Tensor& features) override { return projection_(features); }

  torch::Tensor features(const torch::Tensor& pixels) override { return maps(pixels).mean({1, 2}); }
  torch::Tensor places(const torch::Tensor& pixels) override { return maps(pixels).flatten(1, 2); }

 private:
  /// f32 [B, H', W', F]
  torch::Tensor maps(const torch::Tensor& pixels) {
    auto x = ((pixels - kPixelMean) / kPixelDeviation).permute({0, 2, 3, 1}).contiguous();  // [B, H, W, 3]
    for (const auto& block : *blocks_) {
      const auto layer = [block](const torch::Tensor& y) { return block->as<ConvBlock>()->forward(y); };
      x = recompute_layers_ ? recomputed(layer, x, *block) : layer(x);
    }
    return x;
  }

  std::int64_t features_;
  nn::ModuleList blocks_;
  nn::Linear projection_{nullptr};
};

}  // namespace

std::shared_ptr<ImageTower> make_conv_tower(const ConvSpec& spec) { return std::make_shared<ConvTower>(spec); }

}  // namespace roclip::bench
