#include "poison_detection.h"

#include <algorithm>
#include <numeric>

#include <torch/types.h>

namespace roclip {

DetectionCurves detection_curves(const torch::Tensor& scores, const std::vector<bool>& poisoned) {
  const auto contiguous = scores.contiguous();
  const std::span score(contiguous.data_ptr<double>(), poisoned.size());
  std::vector<std::size_t> order(poisoned.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](auto a, auto b) { return score[a] > score[b]; });
  const auto poisons = std::ranges::count(poisoned, true), clean = std::ssize(poisoned) - poisons;
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
  };

  DetectionCurves curves;
  std::int64_t true_positives = 0, false_positives = 0;
  bool reached_95 = false, reached_100 = false;
  for (std::size_t begin = 0; begin < order.size();) {
    std::int64_t hits = 0, mistakes = 0;
    std::size_t end = begin;
    for (; end < order.size() && score[order[end]] == score[order[begin]]; ++end) {
      ++(poisoned[order[end]] ? hits : mistakes);
    }
    // Clean pairs of this group are beaten by all poisons before it, and tie with those in it.
    curves.auroc += share(2 * true_positives + hits, 2 * poisons) * share(mistakes, clean);
    true_positives += hits;
    false_positives += mistakes;
    curves.pr_auc += share(hits, poisons) * share(true_positives, true_positives + false_positives);
    if (!reached_95 && 100 * true_positives >= 95 * poisons) {
      curves.fpr_at_95_tpr = share(false_positives, clean);
      reached_95 = true;
    }
    if (!reached_100 && true_positives == poisons) {
      curves.fpr_at_100_tpr = share(false_positives, clean);
      reached_100 = true;
    }
    begin = end;
  }
  return curves;
}

MetricResult PoisonDetection::evaluate(ClipModel&, const EvalInputs& inputs) const {
  if (!inputs.suspicion) return {.not_applicable = "the defense does not score training pairs"};
  const auto poisons = std::ranges::count(inputs.poisoned, true), clean = std::ssize(inputs.poisoned) - poisons;
  if (poisons == 0) return {.not_applicable = "no poison to detect"};
  if (clean == 0) return {.not_applicable = "no clean pair to tell poisons from"};
  const auto& [scores, threshold] = *inputs.suspicion;
  const auto curves = detection_curves(scores, inputs.poisoned);
  MetricResult result{.values = {{"auroc", curves.auroc, "1"},
                                 {"pr_auc", curves.pr_auc, "1"},
                                 {"fpr_at_95_tpr", curves.fpr_at_95_tpr, "1"},
                                 {"fpr_at_100_tpr", curves.fpr_at_100_tpr, "1"}}};
  Json details = {{"poisons", poisons}, {"clean_pairs", clean}};
  if (threshold) {
    Count found;
    found.name = "poisons_found";
    std::int64_t clean_flagged = 0;
    const auto score = scores.accessor<double, 1>();
    for (std::int64_t i = 0; i < score.size(0); ++i) {
      const bool flagged = score[i] > *threshold;
      if (inputs.poisoned[static_cast<std::size_t>(i)]) {
        found.add(i, flagged);
      } else {
        clean_flagged += flagged ? 1 : 0;
      }
    }
    result.values.push_back({"clean_flagged", static_cast<double>(clean_flagged), "pairs"});
    result.values.push_back({"poisons_left", static_cast<double>(found.trials - found.hits), "pairs"});
    result.counts.push_back(std::move(found));
    details["threshold"] = *threshold;
  }
  result.details = details.dump();
  return result;
}

}  // namespace roclip
