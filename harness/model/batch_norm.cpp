#include "harness/model/batch_norm.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip::bench {

namespace {

constexpr double kMomentum = 0.1, kEpsilon = 1e-5;

}  // namespace

BatchNormImpl::BatchNormImpl(std::int64_t channels) {
  weight = register_parameter("weight", torch::ones({channels}));
  bias_ = register_parameter("bias", torch::zeros({channels}));
  mean_ = register_buffer("running_mean", torch::zeros({channels}));
  variance_ = register_buffer("running_var", torch::ones({channels}));
  batches_ = register_buffer("num_batches_tracked", torch::tensor(0, torch::kLong));
}

torch::Tensor BatchNormImpl::forward(const torch::Tensor& x) {
  if (is_training()) batches_ += 1;
  if (is_training() && ranks_->size() > 1) return forward_over_ranks(x);
  return torch::batch_norm(x, weight, bias_, mean_, variance_, is_training(), kMomentum, kEpsilon,
                           at::globalContext().userEnabledCuDNN());
}

/// Mean and variance of all ranks' rows are made of each rank's own (Chan, Golub and LeVeque 1979, STAN-CS-79-773).
torch::Tensor BatchNormImpl::forward_over_ranks(const torch::Tensor& x) {
  const auto by_channel = [](const torch::Tensor& values) { return values.view({1, -1, 1, 1}); };
  const auto y = x.to(torch::kFloat);
  const auto channels = y.size(1);
  const auto own_mean = y.mean({0, 2, 3}), own_squares = (y - by_channel(own_mean)).square().sum({0, 2, 3});  // [C]
  const auto own_count = torch::full({1}, static_cast<double>(y.numel() / channels), y.options());
  const auto of_ranks =
      ranks_->of_all(torch::cat({own_mean, own_squares, own_count})).split({channels, channels, 1}, 1);
  const auto &means = of_ranks[0], &squares = of_ranks[1], &counts = of_ranks[2];  // [R, C], [R, C], [R, 1]
  const auto count = counts.sum();
  const auto mean = (means * counts).sum(0) / count;
  const auto variance = (squares + (means - mean).square() * counts).sum(0) / count;
  {
    const torch::NoGradGuard no_grad;
    mean_.lerp_(mean, kMomentum);
    variance_.lerp_(variance * count / (count - 1), kMomentum);
  }
  const auto scale = weight * (variance + kEpsilon).rsqrt();
  return ((y - by_channel(mean)) * by_channel(scale) + by_channel(bias_)).to(x.scalar_type());
}

}  // namespace roclip::bench
