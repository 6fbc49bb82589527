/// Intervals of shares, of one seed and over seeds.
#pragma once

#include <cstdint>
#include <span>

namespace roclip::bench {

struct Interval {
  double low, high;
  bool operator==(const Interval&) const = default;
};

/// k of n.
struct Counted {
  std::int64_t hits, trials;
  double share() const { return static_cast<double>(hits) / static_cast<double>(trials); }
};

/// Wilson score interval of k of n (Wilson 1927): keeps its coverage for k = 0 and small n, where the usual p +- 1.96
/// se collapses to a point. @param level 0.95 = 95 %. @pre 0 <= hits <= trials, trials > 0
Interval wilson(const Counted& count, double level = 0.95);

double mean(std::span<const double> values);

/// Student's t interval of the mean (Student 1908). @param least_sd of one value: a smaller spread is taken for chance.
/// @pre at least two values
Interval t_interval(std::span<const double> values, double level = 0.95, double least_sd = 0);

/// Interval of the mean share over seeds: Wilson's for one seed; for several the t interval of one value a seed, whose
/// spread is taken to be at least that of counting (from (k + 1) / (n + 2), so that nine seeds of 0 of 16 are not
/// certainty). Items of different seeds are never pooled. Cut to 0..1. @pre not empty, trials > 0
Interval over_seeds(std::span<const Counted> seeds, double level = 0.95);

/// Interval of a mean paired difference a - b of shares over the same seeds; for one seed that of independent shares
/// (Newcombe 1998, Statistics in Medicine 17:873, method 10). @pre equal sizes, not empty
Interval difference_over_seeds(std::span<const Counted> a, std::span<const Counted> b, double level = 0.95);

/// The confidence of each interval when a question may be asked up to `looks` times while data is added, so that with
/// probability `level` none of them misses, wherever one stops: Bonferroni's inequality (Dunn 1961, Journal of the
/// American Statistical Association 56:52). 0.95 and 10 looks give 0.995.
double confidence_of_look(double level, std::int64_t looks);

}  // namespace roclip::bench
