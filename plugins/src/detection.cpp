#include "roclip/detection.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>

namespace roclip {

namespace {

constexpr double kRocStep = 0.04;  // of both rates together, which rise by 2 in all

}  // namespace

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
    const std::array point = {share(false_positives, clean), share(true_positives, poisons)};
    const auto& last = curves.roc.back();
    if (begin == order.size() || point[0] - last[0] + point[1] - last[1] >= kRocStep) curves.roc.push_back(point);
  }
  return curves;
}

}  // namespace roclip
