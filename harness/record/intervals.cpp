#include "harness/record/intervals.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace roclip::bench {

namespace {

/// Variance that counting alone gives a share; never 0.
double counting_variance(const Counted& count) {
  const double n = static_cast<double>(count.trials), p = (static_cast<double>(count.hits) + 1) / (n + 2);
  return p * (1 - p) / n;
}

double mean_counting_variance(std::span<const Counted> seeds) {
  double sum = 0;
  for (const auto& count : seeds) sum += counting_variance(count);
  return sum / static_cast<double>(seeds.size());
}

std::vector<double> shares(std::span<const Counted> seeds) {
  std::vector<double> values;
  for (const auto& count : seeds) values.push_back(count.share());
  return values;
}

}  // namespace

Interval wilson(const Counted& count, double level) {
  const double z = boost::math::quantile(boost::math::normal(), 0.5 + level / 2);
  const double n = static_cast<double>(count.trials), p = count.share();
  const double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

double confidence_of_look(double level, std::int64_t looks) { return 1 - (1 - level) / static_cast<double>(looks); }

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Interval t_interval(std::span<const double> values, double level, double least_sd) {
  const double n = static_cast<double>(values.size()), centre = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  const double sd = std::max(std::sqrt(squares / (n - 1)), least_sd);
  const double half = boost::math::quantile(boost::math::students_t(n - 1), 0.5 + level / 2) * sd / std::sqrt(n);
  return {centre - half, centre + half};
}

Interval over_seeds(std::span<const Counted> seeds, double level) {
  if (seeds.size() == 1) return wilson(seeds[0], level);
  const auto [low, high] = t_interval(shares(seeds), level, std::sqrt(mean_counting_variance(seeds)));
  return {std::max(0.0, low), std::min(1.0, high)};
}

Interval difference_over_seeds(std::span<const Counted> a, std::span<const Counted> b, double level) {
  if (a.size() == 1) {
    const double p = a[0].share(), q = b[0].share();
    const auto of_a = wilson(a[0], level), of_b = wilson(b[0], level);
    return {p - q - std::hypot(p - of_a.low, of_b.high - q), p - q + std::hypot(of_a.high - p, q - of_b.low)};
  }
  auto differences = shares(a);
  const auto others = shares(b);
  for (std::size_t i = 0; i < differences.size(); ++i) differences[i] -= others[i];
  return t_interval(differences, level, std::sqrt(mean_counting_variance(a) + mean_counting_variance(b)));
}

}  // namespace roclip::bench
