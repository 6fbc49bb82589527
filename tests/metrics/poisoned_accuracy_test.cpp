#include "poisoned_accuracy.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::poisoned_accuracy_test {

namespace {

MetricResult evaluate(const ToyEvaluation& evaluation) {
  auto model = toy_clip();
  return PoisonedAccuracy(NoParams{}).evaluate(model, evaluation.inputs());
}

}  // namespace

TEST_CASE("poisoned accuracy does not apply where no image is attacked", "[metric][poisoned_accuracy]") {
  const auto data = toy_dataset();
  for (const Goal& goal : {Goal(NoGoal{}), Goal(TriggeredTextGoal{{2}})}) {
    const auto result = evaluate({data, goal});
    CHECK(result.counts.empty());
    CHECK_FALSE(result.not_applicable.empty());
  }
}

TEST_CASE("target images count when they get their true class, whatever was wanted", "[metric][poisoned_accuracy]") {
  const auto images = toy_images(12);
  const auto data = toy_dataset(images);
  paint(images[4], 250, 10, 0);   // a green one that the model takes for red, as wanted
  paint(images[8], 0, 250, 10);   // a blue one that it takes for green, which nobody wanted
  paint(images[9], 100, 100, 0);  // a red one half way to green: red comes first
  const auto result = evaluate({data, TargetImagesGoal{{{1, 2}, {4, 0}, {8, 0}, {9, 1}}}});
  REQUIRE(result.counts.size() == 2);
  CHECK(result.counts[0].name == "top1");
  CHECK(result.counts[0].items == std::vector<std::int64_t>{1, 4, 8, 9});
  CHECK(result.counts[0].outcomes == std::vector<std::uint8_t>{1, 0, 0, 1});
  CHECK(result.counts[1].name == "top5");
  CHECK(result.counts[1].hits == 4);  // there are three classes only
}

TEST_CASE("triggered images count beside the same images without the trigger", "[metric][poisoned_accuracy]") {
  const auto pixels = toy_images(12);
  const auto data = toy_dataset(pixels);
  paint(pixels[1], 0, 0, 250);  // green, taken for blue even without the trigger
  const auto green_if_red = [](const torch::Tensor& images, std::span<const Draw>) {
    auto stamped = images.clone();
    for (std::int64_t i = 0; i < stamped.size(0); ++i) {
      if (stamped[i][0][0][0].item<int>() > 0) paint(stamped[i], 0, 200, 0);  // not even the target class
    }
    return stamped;
  };
  const auto result = evaluate({data, TriggeredImagesGoal{{2}}, green_if_red});
  REQUIRE(result.counts.size() == 3);
  CHECK(result.counts[0].name == "top1");
  CHECK(result.counts[0].items == std::vector<std::int64_t>{0, 1, 3, 4, 6, 7, 9, 10});
  CHECK(result.counts[0].outcomes == std::vector<std::uint8_t>{0, 0, 0, 1, 0, 1, 0, 1});
  CHECK(result.counts[2].name == "clean_top1");
  CHECK(result.counts[2].items == result.counts[0].items);
  CHECK(result.counts[2].outcomes == std::vector<std::uint8_t>{1, 0, 1, 1, 1, 1, 1, 1});
}

TEST_CASE("each trigger has its own images, and items ascend over all of them", "[metric][poisoned_accuracy]") {
  const auto data = toy_dataset();
  const auto blue_by_first = [](const torch::Tensor& images, std::span<const Draw> draws) {
    auto stamped = images.clone();
    for (std::int64_t i = 0; i < stamped.size(0); ++i) {
      CHECK(draws[static_cast<std::size_t>(i)].test);
      if (draws[static_cast<std::size_t>(i)].trigger == 0) paint(stamped[i], 0, 0, 200);
    }
    return stamped;
  };
  const auto result = evaluate({data, TriggeredImagesGoal{{2, 0}}, blue_by_first});
  // The first trigger spoils 4 red and 4 green ones; the second leaves 4 green and 4 blue ones as they are.
  CHECK(result.counts[0].trials == 16);
  CHECK(result.counts[0].hits == 8);
  const std::vector<std::int64_t> first = {0, 1, 1, 2, 3, 4, 4, 5};
  CHECK(std::vector(result.counts[0].items.begin(), result.counts[0].items.begin() + 8) == first);
  const std::vector<std::uint8_t> outcomes = {0, 0, 1, 1, 0, 0, 1, 1};  // of an item, the first trigger comes first
  CHECK(std::vector(result.counts[0].outcomes.begin(), result.counts[0].outcomes.begin() + 8) == outcomes);
}

TEST_CASE("confused classes count images of the attacked class", "[metric][poisoned_accuracy]") {
  const auto images = toy_images(12);
  paint(images[3], 0, 200, 0);  // a red one that looks green
  const auto data = toy_dataset(images);
  const auto result = evaluate({data, ConfusedClassesGoal{0, 1}});
  CHECK(result.counts[0].items == std::vector<std::int64_t>{0, 3, 6, 9});
  CHECK(result.counts[0].outcomes == std::vector<std::uint8_t>{1, 0, 1, 1});
}

TEST_CASE("poisoned accuracy does not apply without images to attack", "[metric][poisoned_accuracy]") {
  const auto data = toy_dataset();
  data.held_out.labels.fill_(2);
  CHECK_FALSE(evaluate({data, TriggeredImagesGoal{{2}}}).not_applicable.empty());
  CHECK_FALSE(evaluate({data, ConfusedClassesGoal{0, 2}}).not_applicable.empty());
}

TEST_CASE("poisoned accuracy is no clean accuracy, and higher is better", "[metric][poisoned_accuracy]") {
  const PoisonedAccuracy metric(NoParams{});
  CHECK(metric.better() == Better::kHigher);
  CHECK(metric.measures() == Measures::kOther);
  auto model = toy_clip();
  model.image_weight.fill_(std::numeric_limits<float>::quiet_NaN());
  const auto data = toy_dataset();
  const ToyEvaluation evaluation{data, TargetImagesGoal{{{0, 1}}}};
  CHECK_THROWS_AS(metric.evaluate(model, evaluation.inputs()), Diverged);
}

}  // namespace roclip::poisoned_accuracy_test
