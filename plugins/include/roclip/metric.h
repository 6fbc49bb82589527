/// Write a metric: this is the only header you need. See metrics/zero_shot for a whole one.
///
/// A metric reads one trained model and returns raw counts. It never trains the model, and knows no thresholds.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/attack.h"
#include "roclip/clip_model.h"
#include "roclip/dataset.h"
#include "roclip/error.h"
#include "roclip/params.h"
#include "roclip/plugin.h"

namespace roclip {

/// What a metric may look at. References outlive the call, no longer.
struct EvalInputs {
  const Dataset& data;                       ///< clean
  const std::vector<TargetImage>& targets;   ///< of a targeted attack, by rising held_out; else empty
  std::optional<std::int64_t> target_class;  ///< of a backdoor
  std::function<torch::Tensor(const torch::Tensor&)> apply_trigger;  ///< Attack::apply_trigger
  std::uint64_t seed;                                                ///< stream(seed, role::kEvaluation)

  /// Held-out images that are nobody's target, ascending: clean accuracy is measured on these. i64 [M']
  torch::Tensor clean_indices() const;
};

/// k of n, with every item's outcome, so that a reader can recompute any other summary and compare cells paired.
struct Count {
  std::string name;                    ///< "top1"
  std::int64_t hits = 0;               ///< k
  std::int64_t trials = 0;             ///< n
  std::vector<std::int64_t> items;     ///< which held-out image each outcome is about, ascending; size n
  std::vector<std::uint8_t> outcomes;  ///< 1 hit, 0 miss, aligned with items

  void add(std::int64_t item, bool hit);
};

/// @invariant counts is empty if and only if `not_applicable` says why (no attack: no success to count); each count has
/// a name of its own and at least one trial. A cell whose metric breaks this fails.
struct MetricResult {
  std::vector<Count> counts = {};  ///< the first is the headline
  std::string not_applicable = {};
  std::string details = {};  ///< JSON object text: whatever else a reader needs, such as each target's prediction
};

/// How many columns stand before column own[i] when row i is sorted by falling score; equal scores stand in the order
/// of their columns. 0 is first; a hit at k is `rank_of(...) < k`.
/// @param scores [N, C].  @param own i64 [N], in [0, C).  @return i64 [N].
/// @throws Diverged if a score is not finite: such a model has no accuracy to count.
torch::Tensor rank_of(const torch::Tensor& scores, const torch::Tensor& own);
/// Counts the items whose rank is below k. @param items, ranks i64 [N], on the CPU.
Count hits_at(std::int64_t k, std::string name, const torch::Tensor& items, const torch::Tensor& ranks);

enum class Better { kLower, kHigher };

class Metric {
 public:
  virtual ~Metric() = default;
  virtual Better better() const { return Better::kHigher; }
  /// Runs without gradient, model in evaluation mode. Must leave the weights as it found them. [one thread]
  virtual MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const = 0;
};

}  // namespace roclip

/// Exports `Class` (derived from Metric, with a nested `Params` and a constructor from it) as a metric.
#define ROCLIP_METRIC(Class, ID, SUMMARY) ROCLIP_PLUGIN(kMetric, Class, ID, SUMMARY)
