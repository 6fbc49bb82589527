#include "input_detection.h"

#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "roclip/detection.h"

namespace roclip {

namespace {

constexpr std::int64_t kAtOnce = 256;  // images; a defense may make many copies of each

/// Suspicion of images of a set, with a trigger or without. @return f64 [n]; none if the defense does not inspect
std::optional<torch::Tensor> suspicion_of(const EvalInputs& inputs, const LabelledImages& set,
                                          const torch::Tensor& items, std::optional<std::int64_t> trigger) {
  std::vector<torch::Tensor> parts;
  for (const auto& chunk : items.split(kAtOnce)) {
    auto images = set.images(chunk);
    if (trigger) images = inputs.apply_trigger(images, inputs.test_draws(chunk, *trigger));
    const auto scores = inputs.input_suspicion(images);
    if (!scores) return std::nullopt;
    parts.push_back(*scores);
  }
  return torch::cat(parts);
}

}  // namespace

void InputDetection::Params::declare(ParamList& list) {
  list.add("false_alarms", false_alarms, Range{0.001, 0.5}, "1",
           "share of clean images for a threshold that lie above it", "ours");
}

MetricResult InputDetection::evaluate(ClipModel&, const EvalInputs& inputs) const {
  const auto* goal = std::get_if<TriggeredImagesGoal>(&inputs.goal);
  if (goal == nullptr) return {.not_applicable = "the attack puts no trigger on images"};
  const auto& held_out = inputs.data.held_out;
  if (inputs.data.probe.size() == 0) return {.not_applicable = "the data set has no clean images for a threshold"};
  const auto clean = suspicion_of(inputs, held_out, torch::arange(held_out.size(), torch::kLong), std::nullopt);
  if (!clean) return {.not_applicable = "the defense does not inspect inputs"};
  std::vector<torch::Tensor> parts = {*clean};
  for (std::size_t t = 0; t < goal->target_class.size(); ++t) {
    const auto items = (held_out.labels != goal->target_class[t]).nonzero().squeeze(1);
    if (items.size(0) > 0) parts.push_back(*suspicion_of(inputs, held_out, items, static_cast<std::int64_t>(t)));
  }
  const auto scores = torch::cat(parts);
  const auto negatives = clean->size(0), positives = scores.size(0) - negatives;
  if (positives == 0) return {.not_applicable = "the data set has no held-out image of another class"};
  std::vector<bool> triggered(static_cast<std::size_t>(scores.size(0)), true);
  std::fill_n(triggered.begin(), negatives, false);
  const auto curves = detection_curves(scores, triggered);

  // The threshold knows clean images only, and none of those that are judged.
  const auto probe = torch::arange(inputs.data.probe.size(), torch::kLong);
  const auto reference = std::get<0>(suspicion_of(inputs, inputs.data.probe, probe, std::nullopt)->sort());
  const auto above = static_cast<std::int64_t>(params_.false_alarms * static_cast<double>(reference.size(0)));
  const auto threshold = reference[reference.size(0) - 1 - above].item<double>();
  const auto flagged = scores > threshold;
  const auto false_positives = flagged.narrow(0, 0, negatives).sum().item<double>();
  const auto true_positives = flagged.narrow(0, negatives, positives).sum().item<double>();
  const auto all = static_cast<double>(positives), wrong = static_cast<double>(negatives);
  const double f1 = 2 * true_positives / (true_positives + false_positives + all);
  return {
      .values = {{"auroc", curves.auroc, "1"},
                 {"fpr_at_95_tpr", curves.fpr_at_95_tpr, "1"},
                 {"fpr_at_100_tpr", curves.fpr_at_100_tpr, "1"},
                 {"tpr", true_positives / all, "1"},
                 {"fpr", false_positives / wrong, "1"},
                 {"f1", f1, "1"}},
      .details =
          Json{{"threshold", threshold}, {"clean", negatives}, {"triggered", positives}, {"roc", curves.roc}}.dump()};
}

}  // namespace roclip
