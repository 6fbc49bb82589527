/// How well scores tell what is poisoned from what is clean: for metrics.
#pragma once

#include <array>
#include <vector>

#include <torch/types.h>

namespace roclip {

/// The curves of a detector, which takes for a poison what has at least a certain score. Equal scores are taken or left
/// together: their order is no merit.
struct DetectionCurves {
  double auroc = 0;           ///< chance that a poison has a higher score than a clean pair; a tie counts half
  double pr_auc = 0;          ///< average precision: precision at each rise of the recall, times the rise
  double fpr_at_95_tpr = 0;   ///< clean pairs taken, as a share, where at least 95 % of the poisons are
  double fpr_at_100_tpr = 0;  ///< the same where all poisons are
  /// The ROC curve: [false positive rate, true positive rate] from [0, 0] to [1, 1], rising, of a long one at most 52
  /// points. What reports draw as "roc" of a metric's details.
  std::vector<std::array<double, 2>> roc = {{0, 0}};
};
/// @param scores f64 [N]. @param poisoned N of them, both kinds present
DetectionCurves detection_curves(const torch::Tensor& scores, const std::vector<bool>& poisoned);

}  // namespace roclip
