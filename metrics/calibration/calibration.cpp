#include "calibration.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void CalibrationParams::declare(ParamList& list) {
  list.add("bins", bins, Range{1, 1000}, "1", "bins of equal width that confidences are sorted into",
           "Guo et al. 2017, section 5: 15");
}

double ConfidenceBin::gap() const {
  if (images == 0) return 0;
  return std::abs(static_cast<double>(right) - confidence) / static_cast<double>(images);
}

std::vector<ConfidenceBin> confidence_bins(const torch::Tensor& confidences, const torch::Tensor& right,
                                           std::int64_t bins) {
  std::vector<ConfidenceBin> filled(static_cast<std::size_t>(bins));
  const auto confidence = confidences.accessor<double, 1>();
  const auto hit = right.accessor<bool, 1>();
  for (std::int64_t i = 0; i < confidence.size(0); ++i) {
    const auto at = static_cast<std::int64_t>(std::ceil(confidence[i] * static_cast<double>(bins))) - 1;
    auto& bin = filled[static_cast<std::size_t>(std::clamp<std::int64_t>(at, 0, bins - 1))];
    bin.images += 1;
    bin.right += hit[i] ? 1 : 0;
    bin.confidence += confidence[i];
  }
  return filled;
}

MetricResult Calibration::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  const auto items = inputs.clean_indices();
  if (items.numel() == 0) return {.not_applicable = "the data set has no held-out image beside the targets"};
  const auto& held_out = inputs.data.held_out;
  const auto classes = class_embeddings(model, inputs.data.classes);                        // [C, D]
  const auto scores = embed_images(model, *held_out.pairs, items).matmul(classes.t());      // [N, C]
  const auto right = rank_of(scores, held_out.labels.index_select(/*dim=*/0, items)) == 0;  // [N]
  const double scale = model.logit_scale().item<double>();
  const auto probabilities = torch::softmax(scores.to(torch::kFloat64) * scale, /*dim=*/1);  // [N, C]
  const auto confidences = std::get<0>(probabilities.max(/*dim=*/1)).contiguous();           // [N]
  if (!confidences.isfinite().all().item<bool>()) throw Diverged("the logit scale is not a finite number");

  const auto bins = confidence_bins(confidences, right.contiguous(), params_.bins);
  const auto images = static_cast<double>(items.numel());
  double ece = 0, largest = 0;
  Json filled = Json::array();
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const auto& bin = bins[i];
    if (bin.images == 0) continue;
    const auto in_bin = static_cast<double>(bin.images);
    ece += in_bin / images * bin.gap();
    largest = std::max(largest, bin.gap());
    filled.push_back({{"bin", i},
                      {"images", bin.images},
                      {"confidence", bin.confidence / in_bin},
                      {"accuracy", static_cast<double>(bin.right) / in_bin}});
  }
  return {.values = {{"ece", ece, "1"},
                     {"largest_gap", largest, "1"},
                     {"confidence", confidences.mean().item<double>(), "1"},
                     {"accuracy", right.to(torch::kFloat64).mean().item<double>(), "1"}},
          .details = Json{{"images", items.numel()}, {"logit_scale", scale}, {"bins", filled}}.dump()};
}

}  // namespace roclip
