/// A convolution with batch norm and ReLU.
#pragma once

#include <cstdint>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "harness/model/batch_norm.h"

namespace roclip::bench {

struct ConvOptions {
  std::int64_t in, out;
  std::int64_t kernel, stride, padding;  ///< px; square
  bool residual = false;                 ///< the input is added to the output; needs equal shapes
};

/// A convolution without bias: on the CPU and in f32 by our own loops (kernels/convolution.h), else LibTorch's.
/// Differentiable once. @param x [B, H, W, in] @param weight [kernel, kernel, in, out]. @return [B, H', W', out]
torch::Tensor convolution(const torch::Tensor& x, const torch::Tensor& weight, std::int64_t stride,
                          std::int64_t padding);

/// relu(norm(conv(x))), plus x if residual. No bias: the norm has one.
class ConvBlockImpl : public torch::nn::Module {
 public:
  /// Draws the weights (He et al. 2015, arXiv 1502.01852) from LibTorch's global generator.
  explicit ConvBlockImpl(const ConvOptions& options);

  /// f32 [B, H, W, in] -> f32 [B, H', W', out]. Differentiable once, by the input and all parameters.
  torch::Tensor forward(const torch::Tensor& x);

 private:
  ConvOptions options_;
  torch::Tensor weight_;  ///< f32 [kernel, kernel, in, out], as the kernels read it
  BatchNorm norm_;
};
TORCH_MODULE(ConvBlock);

}  // namespace roclip::bench
