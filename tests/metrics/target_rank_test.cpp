#include "target_rank.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::target_rank_test {

namespace {

MetricResult evaluate(const ToyEvaluation& evaluation) {
  auto model = toy_clip();
  return TargetRank(NoParams{}).evaluate(model, evaluation.inputs());
}

std::map<std::string, double> ranks_of(const MetricResult& result) {
  for (const auto& value : result.values) CHECK(value.unit == "rank");
  return values_of(result);
}

}  // namespace

TEST_CASE("the median rank is the middle one, or the mean of the middle two", "[metric][target_rank]") {
  CHECK(median_rank(torch::tensor({7}, torch::kLong)) == 7);
  CHECK(median_rank(torch::tensor({9, 0, 2}, torch::kLong)) == 2);
  CHECK(median_rank(torch::tensor({9, 0, 3, 2}, torch::kLong)) == 2.5);
}

TEST_CASE("without an attack no class is wanted", "[metric][target_rank]") {
  const auto data = toy_dataset();
  const auto result = evaluate({data});
  CHECK(result.values.empty());
  CHECK_FALSE(result.not_applicable.empty());
}

TEST_CASE("targets are ranked by their adversarial class", "[metric][target_rank]") {
  const auto images = toy_images(12);
  const auto data = toy_dataset(images);
  paint(images[4], 250, 10, 0);   // wanted red: first
  paint(images[8], 10, 0, 250);   // wanted green: red and blue are nearer
  paint(images[9], 200, 100, 0);  // wanted green: second
  paint(images[11], 90, 90, 0);   // wanted green, as near as red: red comes first
  const auto result = evaluate({data, TargetImagesGoal{{{4, 0}, {8, 1}, {9, 1}, {11, 1}}}});
  const auto values = ranks_of(result);
  CHECK(values.size() == 2);
  CHECK(values.at("mean_rank") == Approx((0 + 2 + 1 + 1) / 4.0));
  CHECK(values.at("median_rank") == 1);
  CHECK(result.values.front().name == TargetRank(NoParams{}).headline());
  CHECK(Json::parse(result.details) == Json{{"items", {4, 8, 9, 11}}, {"ranks", {0, 2, 1, 1}}, {"classes", 3}});
}

TEST_CASE("triggered images are ranked by the target class, beside themselves without the trigger",
          "[metric][target_rank]") {
  const auto data = toy_dataset();
  const auto some_blue = [](const torch::Tensor& images, std::span<const Draw>) {
    auto stamped = images.clone();
    for (std::int64_t i = 0; i < stamped.size(0); ++i) {
      if (stamped[i][0][0][0].item<int>() > 0) stamped[i][2].fill_(255);  // red ones: bluer than red
      if (stamped[i][1][0][0].item<int>() > 0) stamped[i][2].fill_(100);  // green ones: blue becomes second
    }
    return stamped;
  };
  const auto result = evaluate({data, TriggeredImagesGoal{{2}}, some_blue});
  const auto values = ranks_of(result);
  // Image 0 has as much red as blue, and red comes first; images 3, 6 and 9 are darker than 255.
  const Json ranks = {1, 1, 0, 1, 0, 1, 0, 1};
  CHECK(Json::parse(result.details).at("items") == Json{0, 1, 3, 4, 6, 7, 9, 10});
  CHECK(Json::parse(result.details).at("ranks") == ranks);
  CHECK(values.at("mean_rank") == Approx(5 / 8.0));
  CHECK(values.at("median_rank") == 1);
  // Without it, blue ties at zero with the other absent colour, which comes first in both cases.
  CHECK(Json::parse(result.details).at("clean_ranks") == Json{2, 2, 2, 2, 2, 2, 2, 2});
  CHECK(values.at("clean_mean_rank") == 2);
  CHECK(values.at("clean_median_rank") == 2);
}

TEST_CASE("two triggers are ranked by a target class each", "[metric][target_rank]") {
  const auto data = toy_dataset();
  const auto as_drawn = [](const torch::Tensor& images, std::span<const Draw> draws) {
    auto stamped = images.clone();
    for (std::int64_t i = 0; i < stamped.size(0); ++i) {
      if (draws[static_cast<std::size_t>(i)].trigger == 1) paint(stamped[i], 200, 0, 0);
    }
    return stamped;
  };
  const auto result = evaluate({data, TriggeredImagesGoal{{2, 0}}, as_drawn});
  const auto details = Json::parse(result.details);
  // Trigger 0 does nothing: red and green images have blue last. Trigger 1 makes green and blue ones red.
  CHECK(std::vector<int>(details.at("items").begin(), details.at("items").begin() + 5) ==
        std::vector<int>{0, 1, 1, 2, 3});
  CHECK(std::vector<int>(details.at("ranks").begin(), details.at("ranks").begin() + 5) ==
        std::vector<int>{2, 2, 0, 0, 2});
  CHECK(ranks_of(result).at("mean_rank") == Approx((8 * 2 + 8 * 0) / 16.0));
}

TEST_CASE("a text trigger is ranked by the first image of the target class", "[metric][target_rank]") {
  auto data = toy_dataset();
  auto captions = captions_of(*data.held_out.pairs);
  captions[0].clear();  // asks with the first prompt, "red"
  data.held_out.pairs = tensor_pairs(toy_images(12), captions);
  const auto blue = [](std::span<const std::string> texts, std::span<const Draw>) {
    return std::vector<std::string>(texts.size(), "blue");
  };
  const auto result = evaluate({.data = data, .goal = TriggeredTextGoal{{2}}, .apply_text_trigger = blue});
  const auto values = ranks_of(result);
  CHECK(values.at("mean_rank") == 0);
  // "red": the 4 red images come first; then green and blue ones tie at zero, and image 2 stands behind image 1.
  // "green": the 4 green ones come first, then image 0, then image 2.
  CHECK(Json::parse(result.details).at("clean_ranks") == Json{5, 5, 5, 5, 5, 5, 5, 5});
  CHECK(Json::parse(result.details).at("images") == 12);
}

TEST_CASE("confused classes are ranked by the class of the captions", "[metric][target_rank]") {
  const auto images = toy_images(12);
  paint(images[3], 0, 200, 0);  // a red one that looks green
  const auto data = toy_dataset(images);
  const auto result = evaluate({data, ConfusedClassesGoal{0, 2}});
  CHECK(Json::parse(result.details).at("ranks") == Json{2, 2, 2, 2});
  CHECK(Json::parse(evaluate({data, ConfusedClassesGoal{0, 1}}).details).at("ranks") == Json{1, 0, 1, 1});
}

TEST_CASE("target rank does not apply without images to attack", "[metric][target_rank]") {
  const auto data = toy_dataset();
  data.held_out.labels.fill_(2);
  for (const Goal& goal : {Goal(TriggeredImagesGoal{{2}}), Goal(TriggeredTextGoal{{2}}), Goal(TriggeredTextGoal{{1}}),
                           Goal(ConfusedClassesGoal{0, 2})}) {
    CHECK_FALSE(evaluate({data, goal}).not_applicable.empty());
  }
}

TEST_CASE("a high target rank is good, and a diverged model has none", "[metric][target_rank]") {
  const TargetRank metric(NoParams{});
  CHECK(metric.better() == Better::kHigher);
  CHECK(metric.measures() == Measures::kOther);
  auto model = toy_clip();
  model.image_weight.fill_(std::numeric_limits<float>::quiet_NaN());
  const auto data = toy_dataset();
  const ToyEvaluation evaluation{data, TargetImagesGoal{{{0, 1}}}};
  CHECK_THROWS_AS(metric.evaluate(model, evaluation.inputs()), Diverged);
}

}  // namespace roclip::target_rank_test
