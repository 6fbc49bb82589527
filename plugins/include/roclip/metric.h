/// Write a metric: this is the only header you need. See metrics/zero_shot for a whole one.
///
/// A metric reads one trained model and returns raw counts, or values. It never trains the model, and knows no
/// thresholds.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/attack.h"
#include "roclip/clip_model.h"
#include "roclip/dataset.h"
#include "roclip/defense.h"
#include "roclip/error.h"
#include "roclip/measures.h"
#include "roclip/params.h"
#include "roclip/plugin.h"

namespace roclip {

/// Held-out images that an attack wants taken for certain classes.
struct AttackedImages {
  torch::Tensor items;                  ///< i64 [N], N > 0, ascending: which held-out images
  torch::Tensor wanted;                 ///< i64 [N]: the class that each shall be taken for
  std::optional<std::int64_t> trigger;  ///< that they carry; none: they are attacked as they are
};

/// What a metric may look at. References outlive the call, no longer.
struct EvalInputs {
  const Dataset& data;  ///< clean
  const Goal& goal;     ///< of the attack; targets of a TargetImagesGoal by rising held_out
  std::function<torch::Tensor(const torch::Tensor&, std::span<const Draw>)> apply_trigger;  ///< of the attack
  std::function<std::vector<std::string>(std::span<const std::string>, std::span<const Draw>)> apply_text_trigger;
  const PairSource& trained;                  ///< the pairs that the model was trained on, poisons among them
  const std::vector<bool>& poisoned;          ///< of each of these, as Suspicion counts them: is it a poison?
  const std::optional<Suspicion>& suspicion;  ///< what the defense says of them
  /// What the defense says of test images, u8 [B, 3, H, W]: f64 [B]; none for a defense that does not inspect them.
  std::function<std::optional<torch::Tensor>(const torch::Tensor&)> input_suspicion;
  std::uint64_t seed;  ///< stream(seed, role::kEvaluation)

  /// Held-out images that are nobody's target, ascending: clean accuracy is measured on these. i64 [M']
  torch::Tensor clean_indices() const;
  /// One part for each trigger, in order, or for all images that are attacked without; none if no image is attacked.
  std::vector<AttackedImages> attacked_images() const;
  /// Those images as the attack shows them: with the trigger, if there is one. @param items a part of attacked.items.
  /// @return uint8 [n, 3, px, px]
  torch::Tensor as_attacked(const AttackedImages& attacked, const torch::Tensor& items) const;
  /// class_embeddings() as the attack meets them: of prompts with the text trigger, if its goal has two keys.
  /// @return f32 [C, D]
  torch::Tensor attacked_classes(ClipModel& model, const AttackedImages& attacked) const;
  /// class_embeddings() of prompts that all carry this text trigger. @return f32 [C, D]
  torch::Tensor triggered_classes(ClipModel& model, std::int64_t trigger) const;
  /// The draw of each item for a test (attack.h). @param items i64 [n], ids such as indices of held-out images
  std::vector<Draw> test_draws(const torch::Tensor& items, std::int64_t trigger) const {
    return roclip::test_draws(seed, items, trigger);
  }
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

/// A number that is no share: an area, a rank, a score.
struct Value {
  std::string name;  ///< "auroc"
  double value = 0;  ///< finite
  std::string unit;  ///< "1", "nats", "pairs", "rank", ...
};

/// @invariant counts and values are both empty if and only if `not_applicable` says why (no attack: no success to
/// count); each has a name of its own, and each count at least one trial. A cell whose metric breaks this fails.
struct MetricResult {
  std::vector<Count> counts = {};
  std::vector<Value> values = {};
  std::string not_applicable = {};
  std::string details = {};  ///< JSON object text: what else a reader needs; reports draw "roc", [[FPR, TPR], ...]
};

/// How many columns stand before column own[i] when row i is sorted by falling score; equal scores stand in the order
/// of their columns. 0 is first; a hit at k is `rank_of(...) < k`.
/// @param scores [N, C].  @param own i64 [N], in [0, C).  @return i64 [N].
/// @throws Diverged if a score is not finite: such a model has no accuracy to count.
torch::Tensor rank_of(const torch::Tensor& scores, const torch::Tensor& own);
/// Counts the items whose rank is below k. @param items, ranks i64 [N], on the CPU.
Count hits_at(std::int64_t k, std::string name, const torch::Tensor& items, const torch::Tensor& ranks);

class Metric {
 public:
  virtual ~Metric() = default;
  virtual Better better() const { return Better::kHigher; }
  virtual Measures measures() const { return Measures::kCleanAccuracy; }
  /// Name of the count or value that stands for the metric in grids, gates and comparisons.
  virtual std::string headline() const { return "top1"; }
  /// Whether it needs held-out images with labels; without them, a matrix file that asks for it is refused.
  virtual bool needs_held_out() const { return true; }
  /// Whether it is also measured on each further set of "evaluate", as "zero_shot@cifar10", with their mean: for
  /// metrics of clean accuracy. There the goal is NoGoal, and `data` has that set's images, labels and classes.
  virtual bool transfers() const { return false; }
  /// Runs without gradient, model in evaluation mode. Must leave the weights as it found them. [one thread]
  virtual MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const = 0;
};

}  // namespace roclip

/// Exports `Class` (derived from Metric, with a nested `Params` and a constructor from it) as a metric.
#define ROCLIP_METRIC(Class, ID, SUMMARY) ROCLIP_PLUGIN(kMetric, Class, ID, SUMMARY)
