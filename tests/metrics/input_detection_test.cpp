#include "input_detection.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::input_detection_test {

namespace {

/// Suspicion is the brightest value of an image.
std::optional<torch::Tensor> brightest(const torch::Tensor& images) {
  return images.amax({1, 2, 3}).to(torch::kDouble);
}

MetricResult evaluate(const Dataset& data, const Goal& goal, int trigger_level, double false_alarms = 0.05) {
  auto model = toy_clip();
  ToyEvaluation toy{data};
  toy.goal = goal;
  toy.input_suspicion = brightest;
  toy.apply_trigger = [=](const torch::Tensor& images, std::span<const Draw>) {
    return torch::full_like(images, trigger_level);
  };
  return InputDetection({.false_alarms = false_alarms}).evaluate(model, toy.inputs());
}

double value(const MetricResult& result, const std::string& name) {
  for (const auto& each : result.values) {
    if (each.name == name) return each.value;
  }
  FAIL("no value " + name);
  return 0;
}

/// Clean held-out images of levels 1 .. 12, and for a threshold images of levels 1 .. 12 too.
Dataset levels() {
  auto data = toy_dataset();
  const auto images = torch::arange(1, 13, torch::kByte).view({12, 1, 1, 1}).expand({12, 3, 4, 4}).contiguous();
  data.probe.pairs = tensor_pairs(images.clone());
  data.held_out.pairs = tensor_pairs(images.clone());
  return data;
}

}  // namespace

TEST_CASE("a detector that puts all triggered images above the clean ones is perfect", "[metric][input_detection]") {
  const auto result = evaluate(levels(), TriggeredImagesGoal{{0}}, 200);
  CHECK(value(result, "auroc") == 1);
  CHECK(value(result, "fpr_at_100_tpr") == 0);
  CHECK(value(result, "tpr") == 1);
  CHECK(value(result, "fpr") == 0);
  CHECK(value(result, "f1") == 1);
}

TEST_CASE("the threshold lies at a share of the clean images for it", "[metric][input_detection]") {
  // A quarter of 12 images lie above 9. The trigger makes every image 10: above 9 of 12 clean ones, equal to one.
  const auto result = evaluate(levels(), TriggeredImagesGoal{{0}}, 10, 0.25);
  CHECK(value(result, "auroc") == Approx(9.5 / 12));
  CHECK(value(result, "tpr") == 1);
  CHECK(value(result, "fpr") == Approx(0.25));
  CHECK(value(result, "f1") == Approx(2.0 * 8 / (2 * 8 + 3)));  // 8 images of other classes
}

TEST_CASE("a trigger below the threshold is not found, whatever the order says", "[metric][input_detection]") {
  const auto result = evaluate(levels(), TriggeredImagesGoal{{0}}, 9, 0.25);
  CHECK(value(result, "tpr") == 0);
  CHECK(value(result, "f1") == 0);
}

TEST_CASE("without a trigger on images, or a defense that inspects them, there is nothing to measure",
          "[metric][input_detection]") {
  CHECK(evaluate(levels(), NoGoal{}, 200).not_applicable == "the attack puts no trigger on images");
  const auto data = levels();
  auto model = toy_clip();
  ToyEvaluation toy{data};
  toy.goal = TriggeredImagesGoal{{0}};
  CHECK(InputDetection({}).evaluate(model, toy.inputs()).not_applicable == "the defense does not inspect inputs");
}

}  // namespace roclip::input_detection_test
