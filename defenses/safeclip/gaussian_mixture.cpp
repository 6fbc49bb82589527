#include "gaussian_mixture.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace roclip {

namespace {

constexpr double kLeastVariance = 1e-6, kLeastTotal = 1e-12;  // no logarithm of 0, no division by it
constexpr int kMaxRounds = 1000;

double log_density(double x, double mean, double variance) {
  return -0.5 * (std::log(variance) + (x - mean) * (x - mean) / variance);  // without the constant, which cancels
}

/// From how much each value belongs to the second component.
GaussianMixture from_shares(std::span<const double> values, std::span<const double> of_second) {
  GaussianMixture mixture{};
  for (std::size_t c = 0; c < 2; ++c) {
    double total = kLeastTotal, mean = 0, variance = 0;
    const auto share = [&](std::size_t i) { return c == 1 ? of_second[i] : 1 - of_second[i]; };
    for (std::size_t i = 0; i < values.size(); ++i) {
      total += share(i);
      mean += share(i) * values[i];
    }
    mean /= total;
    for (std::size_t i = 0; i < values.size(); ++i) variance += share(i) * (values[i] - mean) * (values[i] - mean);
    mixture.weight[c] = total / static_cast<double>(values.size());
    mixture.mean[c] = mean;
    mixture.variance[c] = std::max(variance / total, kLeastVariance);
  }
  return mixture;
}

/// 0 or 1 for each value: the nearer of the two means of k-means. @param values rising
std::vector<double> two_means(std::span<const double> values) {
  auto border = values.size() / 2;
  for (int round = 0; round < kMaxRounds; ++round) {
    double low = 0, high = 0;
    for (std::size_t i = 0; i < values.size(); ++i) (i < border ? low : high) += values[i];
    low /= static_cast<double>(border);
    high /= static_cast<double>(values.size() - border);
    const auto first_high = std::ranges::find_if(values, [&](double x) { return x > (low + high) / 2; });
    const auto next =
        std::clamp<std::size_t>(static_cast<std::size_t>(first_high - values.begin()), 1, values.size() - 1);
    if (next == border || low == high) break;
    border = next;
  }
  std::vector<double> of_second(values.size(), 0);
  std::fill(of_second.begin() + static_cast<std::ptrdiff_t>(border), of_second.end(), 1);
  return of_second;
}

}  // namespace

double GaussianMixture::log_odds(double x) const {
  return std::log(weight[1] / weight[0]) + log_density(x, mean[1], variance[1]) - log_density(x, mean[0], variance[0]);
}

GaussianMixture fit_two_gaussians(const torch::Tensor& values) {
  const double centre = values.mean().item<double>(), spread = values.std(/*unbiased=*/false).item<double>();
  if (spread < 1e-12) return {{0.5, 0.5}, {centre, centre}, {1, 1}};
  const auto scaled = std::get<0>(((values - centre) / spread).sort()).contiguous();
  const std::span x(scaled.data_ptr<double>(), static_cast<std::size_t>(scaled.numel()));
  auto of_second = two_means(x);
  auto mixture = from_shares(x, of_second);
  constexpr double kConverged = 1e-9;
  for (int round = 0; round < kMaxRounds; ++round) {
    double moved = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double share = 1 / (1 + std::exp(-mixture.log_odds(x[i])));
      moved += std::abs(share - of_second[i]);
      of_second[i] = share;
    }
    mixture = from_shares(x, of_second);
    if (moved / static_cast<double>(x.size()) < kConverged) break;
  }
  if (mixture.mean[0] > mixture.mean[1]) {
    for (auto* pair : {&mixture.weight, &mixture.mean, &mixture.variance}) std::swap((*pair)[0], (*pair)[1]);
  }
  for (std::size_t c = 0; c < 2; ++c) {
    mixture.mean[c] = centre + spread * mixture.mean[c];
    mixture.variance[c] *= spread * spread;
  }
  return mixture;
}

}  // namespace roclip
