#include "zero_shot.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::zero_shot_test {

namespace {

MetricResult evaluate(const Dataset& data, const std::vector<TargetImage>& targets = {}) {
  auto model = toy_clip();
  const ToyEvaluation evaluation{data, targets.empty() ? Goal(NoGoal{}) : Goal(TargetImagesGoal{targets})};
  return ZeroShot(NoParams{}).evaluate(model, evaluation.inputs());
}

}  // namespace

TEST_CASE("zero-shot counts the held-out images with the nearest class", "[metric][zero_shot]") {
  const auto data = toy_dataset();
  data.held_out.labels[0] = 2;  // a red image called blue: a miss; then 3 red, 4 green and 5 blue images
  const auto result = evaluate(data);
  REQUIRE(result.counts.size() == 2);
  const auto& top1 = result.counts[0];
  CHECK(top1.name == "top1");
  CHECK(top1.hits == 11);
  CHECK(top1.trials == 12);
  CHECK(top1.outcomes.front() == 0);
  CHECK(Json::parse(result.details).at("mean_per_class_accuracy").get<double>() == Approx((1 + 1 + 4. / 5) / 3));
}

TEST_CASE("zero-shot top5 looks at five classes", "[metric][zero_shot]") {
  auto data = toy_dataset();
  // Every prompt is red, so a class's rank on a red image is its index.
  data.classes.assign(6, {"red", {"red"}});
  data.held_out.labels = torch::arange(12, torch::kLong) % 6;
  data.held_out.pairs = tensor_pairs(toy_images(1).expand({12, 3, 8, 8}).contiguous());
  const auto result = evaluate(data);
  CHECK(result.counts[0].hits == 2);
  CHECK(result.counts[1].name == "top5");
  CHECK(result.counts[1].hits == 10);
}

TEST_CASE("zero-shot leaves target images out", "[metric][zero_shot]") {
  const auto result = evaluate(toy_dataset(), {{3, 1}, {7, 0}});
  CHECK(result.counts[0].trials == 10);
  CHECK(result.counts[0].items == std::vector<std::int64_t>{0, 1, 2, 4, 5, 6, 8, 9, 10, 11});
}

TEST_CASE("zero-shot averages over the classes that occur", "[metric][zero_shot]") {
  const auto data = toy_dataset();
  data.held_out.labels.fill_(2);  // a third of the images are blue
  CHECK(Json::parse(evaluate(data).details).at("mean_per_class_accuracy").get<double>() == Approx(1. / 3));
}

}  // namespace roclip::zero_shot_test
