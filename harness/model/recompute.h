/// Memory for time: what a function keeps for its backward pass is made again when that comes (gradient checkpointing,
/// Chen et al. 2016, arXiv 1604.06174). Over the parts of a batch it is also gradient accumulation that keeps all
/// negatives (Gao et al. 2021, arXiv 2101.06983): embeddings stay, activations are those of one part.
#pragma once

#include <functional>

#include <torch/types.h>

namespace roclip::bench {

/// f(x), differentiable by x and by whatever parameters f has. f runs twice and must do the same both times.
/// @param some_parameter of f's, whose need of a gradient stands for all of them
torch::Tensor recomputed(const std::function<torch::Tensor(const torch::Tensor&)>& f, const torch::Tensor& x,
                         const torch::Tensor& some_parameter);

}  // namespace roclip::bench
