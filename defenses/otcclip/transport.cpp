#include "transport.h"

#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

torch::Tensor transport_cost(const torch::Tensor& cost, const torch::Tensor& is_word, double epsilon,
                             std::int64_t iterations) {
  const auto kernel = cost / -epsilon;  // [N, T, L], of the logarithm, as all that follows
  const double place = -std::log(static_cast<double>(cost.size(1)));
  const auto words = is_word.sum(/*dim=*/1, /*keepdim=*/true).to(cost.scalar_type());
  const auto word = words.log().neg().expand(is_word.sizes()).masked_fill(~is_word, -INFINITY).unsqueeze(1);
  auto v = word;    // [N, 1, L]
  torch::Tensor u;  // [N, T, 1]
  for (std::int64_t i = 0; i < iterations; ++i) {
    u = place - (kernel + v).logsumexp(2, /*keepdim=*/true);
    v = word - (kernel + u).logsumexp(1, /*keepdim=*/true);
  }
  return ((kernel + u + v).exp() * cost).sum({1, 2});
}

}  // namespace roclip
