/// Batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167) over the whole batch, also where ranks share it out.
#pragma once

#include <cstdint>

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include "harness/model/ranks.h"

namespace roclip::bench {

/// As torch::nn::BatchNorm2d with its defaults; with ranks as it would be in one process, up to rounding.
class BatchNormImpl : public torch::nn::Module {
 public:
  explicit BatchNormImpl(std::int64_t channels);

  /// f32 or bf16 [B, C, H, W], of this rank's rows -> the same
  torch::Tensor forward(const torch::Tensor& x);
  /// Default: alone. @param ranks outlives it
  void over(const Ranks& ranks) { ranks_ = &ranks; }

  torch::Tensor weight;  ///< f32 [C]

 private:
  torch::Tensor forward_over_ranks(const torch::Tensor& x);

  torch::Tensor bias_, mean_, variance_;  ///< f32 [C]; the last two as in evaluation
  torch::Tensor batches_;                 ///< i64 [], seen in training
  const Ranks* ranks_ = &Ranks::alone();
};
TORCH_MODULE(BatchNorm);

}  // namespace roclip::bench
