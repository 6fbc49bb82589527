/// Optimal transport between small sets, by Sinkhorn's iterations (Cuturi 2013, arXiv 1306.0895).
#pragma once

#include <cstdint>

#include <torch/types.h>

namespace roclip {

/// The cost of carrying a uniform measure on the places of an image to one on the words of a caption, by the plan with
/// the least cost minus epsilon times its entropy. In the logarithm, so that a small epsilon does not underflow.
/// @param cost f32 [N, T, L] of a unit of mass. @param is_word bool [N, L], at least one in each row: the others get no
/// mass. @param epsilon above 0. @return f32 [N]: the cost alone, without the entropy
torch::Tensor transport_cost(const torch::Tensor& cost, const torch::Tensor& is_word, double epsilon,
                             std::int64_t iterations);

}  // namespace roclip
