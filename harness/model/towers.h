/// The two encoders as Clip sees them. Each architecture is a file of its own that implements one of these.
#pragma once

#include <memory>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "harness/model/packed.h"
#include "harness/model/spec.h"
#include "harness/model/tokenizer.h"

namespace roclip::bench {

/// To the joint space in two steps. F is its own; D is the model's.
class Tower : public torch::nn::Module {
 public:
  /// Draws the weights of project(). Once, before it is used.
  virtual void add_projection(std::int64_t embedding_dim) = 0;
  /// f32 [..., F] -> f32 [..., D], not normalised
  virtual torch::Tensor project(const torch::Tensor& features) = 0;
  /// Whether each layer keeps its input only, and is computed again in the backward pass. Default: no.
  void recompute_layers(bool on) { recompute_layers_ = on; }

 protected:
  bool recompute_layers_ = false;
};

class ImageTower : public Tower {
 public:
  /// f32 [B, 3, H, W], 0..1 -> f32 [B, F], what a linear probe reads
  virtual torch::Tensor features(const torch::Tensor& pixels) = 0;
  /// The places of the last layer: f32 [B, T, F], each as features() has the whole image.
  virtual torch::Tensor places(const torch::Tensor& pixels) = 0;
};

class TextTower : public Tower {
 public:
  /// i64 [B, L], 0 = padding -> f32 [B, F]
  virtual torch::Tensor features(const torch::Tensor& tokens) = 0;
  /// All tokens of a batch, as features() has captions: f32 [T, F]. @param packing of the tokens
  virtual torch::Tensor words(const torch::Tensor& tokens, const Packing& packing) = 0;
};

// One function a file. Weights are drawn from LibTorch's global generator, but for those of project(): Clip has both
// towers draw these last.
std::shared_ptr<ImageTower> make_conv_tower(const ConvSpec& spec);
std::shared_ptr<ImageTower> make_resnet_tower(const ResNetSpec& spec, std::int64_t image_px);
std::shared_ptr<ImageTower> make_vit_tower(const VitSpec& spec, std::int64_t image_px);
std::shared_ptr<TextTower> make_text_tower(const TextSpec& spec, const TokenIds& ids);

torch::Tensor normalised(const torch::Tensor& pixels, const PixelNorm& norm);

}  // namespace roclip::bench
