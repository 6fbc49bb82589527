#include "harness/report/significance.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include <boost/math/distributions/binomial.hpp>

#include "harness/record/intervals.h"

namespace roclip::bench {

double sign_test(std::int64_t wins, std::int64_t losses) {
  if (wins + losses == 0) return 1;
  const boost::math::binomial coins(static_cast<double>(wins + losses), 0.5);
  return std::min(1.0, 2 * boost::math::cdf(coins, static_cast<double>(std::min(wins, losses))));
}

double mcnemar(std::string_view a, std::string_view b) {
  std::int64_t wins = 0, losses = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    wins += a[i] > b[i];
    losses += a[i] < b[i];
  }
  return sign_test(wins, losses);
}

double permutation_test(std::span<const double> differences) {
  constexpr std::size_t kEnumerated = 20;
  if (differences.size() > kEnumerated) {
    const auto positive = std::ranges::count_if(differences, [](double d) { return d > 0; });
    const auto negative = std::ranges::count_if(differences, [](double d) { return d < 0; });
    return sign_test(positive, negative);
  }
  const double observed = std::abs(std::accumulate(differences.begin(), differences.end(), 0.0));
  const double tolerance = 1e-12 * static_cast<double>(differences.size());  // equal sums in another order of adding
  const std::uint64_t all = std::uint64_t{1} << differences.size();
  std::uint64_t extreme = 0;
  for (std::uint64_t signs = 0; signs < all; ++signs) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) sum += signs >> i & 1 ? differences[i] : -differences[i];
    extreme += std::abs(sum) >= observed - tolerance;
  }
  return static_cast<double>(extreme) / static_cast<double>(all);
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p_values[order[rank]] * static_cast<double>(order.size() - rank);
    adjusted[order[rank]] = largest = std::min(1.0, std::max(largest, scaled));
  }
  return adjusted;
}

std::int64_t fewest_unanimous(std::int64_t comparisons) {
  std::int64_t n = 1;
  while (2 * std::pow(0.5, n) >= 0.05 / static_cast<double>(comparisons)) ++n;
  return n;
}

}  // namespace roclip::bench
