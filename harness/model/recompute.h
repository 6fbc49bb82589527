/// Memory for time: what a function keeps for its backward pass is made again when that comes (gradient checkpointing,
/// Chen et al. 2016, arXiv 1604.06174). Over the parts of a batch it is also gradient accumulation that keeps all
/// negatives (Gao et al. 2021, arXiv 2101.06983): embeddings stay, activations are those of one part.
#pragma once

#include <functional>

#include <torch/nn/module.h>
#include <torch/types.h>

namespace roclip::bench {

/// f(x), differentiable by x and by the parameters of `of`. f runs twice, in the same precision, and must do the same
/// both times; a batch norm counts the batch twice.
/// @param f owns what it needs @param of the module whose function it is; needs gradients by all parameters or by none
torch::Tensor recomputed(const std::function<torch::Tensor(const torch::Tensor&)>& f, const torch::Tensor& x,
                         const torch::nn::Module& of);

}  // namespace roclip::bench
