#include "poison_detection.h"

#include <algorithm>

#include <torch/types.h>

#include "roclip/detection.h"

namespace roclip {

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
  Json details = {{"poisons", poisons}, {"clean_pairs", clean}, {"roc", curves.roc}};
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
