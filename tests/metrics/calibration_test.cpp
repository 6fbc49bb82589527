#include "calibration.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::calibration_test {

namespace {

std::vector<ConfidenceBin> bins_of(const std::vector<double>& confidences, const std::vector<bool>& right,
                                   std::int64_t bins) {
  auto hits = torch::zeros({std::ssize(right)}, torch::kBool);
  for (std::size_t i = 0; i < right.size(); ++i) hits[static_cast<std::int64_t>(i)] = static_cast<bool>(right[i]);
  return confidence_bins(torch::tensor(confidences, torch::kDouble), hits, bins);
}

}  // namespace

TEST_CASE("a confidence on the border of two bins belongs to the lower one", "[metric][calibration]") {
  const auto bins = bins_of({0.0, 0.25, 0.5, 0.500001, 0.75, 1.0}, {true, true, false, true, false, true}, 4);
  REQUIRE(bins.size() == 4);
  CHECK(bins[0].images == 2);  // 0 has no lower one
  CHECK(bins[1].images == 1);
  CHECK(bins[2].images == 2);
  CHECK(bins[3].images == 1);
  CHECK(bins[0].right == 2);
  CHECK(bins[2].right == 1);
}

TEST_CASE("the gap of a bin is the difference of its accuracy and mean confidence", "[metric][calibration]") {
  const auto bins = bins_of({0.9, 0.8, 0.7, 0.2}, {true, false, false, false}, 2);
  CHECK(bins[1].gap() == Approx(0.8 - 1.0 / 3));
  CHECK(bins[0].gap() == Approx(0.2));
  CHECK(ConfidenceBin{}.gap() == 0);
}

TEST_CASE("a model that is always right is as wrong as its confidence is below 1", "[metric][calibration]") {
  const auto data = toy_dataset();
  auto model = toy_clip();
  model.scale.fill_(2);
  const auto result = Calibration({}).evaluate(model, ToyEvaluation{data}.inputs());
  const auto values = values_of(result);
  const double confidence = std::exp(2.0) / (std::exp(2.0) + 2);  // similarities 1, 0, 0: 0.787, bin (11/15, 12/15]
  CHECK(values.at("confidence") == Approx(confidence));
  CHECK(values.at("accuracy") == 1);
  CHECK(values.at("ece") == Approx(1 - confidence));
  CHECK(values.at("largest_gap") == Approx(1 - confidence));
  CHECK(result.values.front().name == Calibration({}).headline());
  const auto details = Json::parse(result.details);
  CHECK(details.at("logit_scale") == 2.0);
  CHECK(details.at("images") == 12);
  REQUIRE(details.at("bins").size() == 1);
  CHECK(details.at("bins")[0].at("bin") == 11);
  CHECK(details.at("bins")[0].at("images") == 12);
  CHECK(details.at("bins")[0].at("accuracy") == 1.0);
}

TEST_CASE("bins weigh by their images", "[metric][calibration]") {
  const auto images = toy_images(12);
  for (const std::int64_t gray : {0, 3, 6}) images[gray].fill_(100);  // as near to red as to green and blue: red wins
  const auto data = toy_dataset(images);
  data.held_out.labels[3] = 1;  // so image 3 is classified wrong
  auto model = toy_clip();
  model.scale.fill_(2);
  const double sure = std::exp(2.0) / (std::exp(2.0) + 2);
  // Three images at 1/3 of which two are right, nine at 0.787 which all are.
  const auto fifteen = values_of(Calibration({}).evaluate(model, ToyEvaluation{data}.inputs()));
  CHECK(fifteen.at("ece") == Approx(0.25 * (1.0 / 3) + 0.75 * (1 - sure)));
  CHECK(fifteen.at("largest_gap") == Approx(1.0 / 3));
  // One bin: the differences cancel before they are taken.
  const auto one = values_of(Calibration({.bins = 1}).evaluate(model, ToyEvaluation{data}.inputs()));
  CHECK(one.at("ece") == Approx(std::abs(11.0 / 12 - (0.25 / 3 + 0.75 * sure))));
  CHECK(one.at("accuracy") == Approx(11.0 / 12));
}

TEST_CASE("calibration leaves the targets out and does not apply without images", "[metric][calibration]") {
  const auto images = toy_images(12);
  const auto data = toy_dataset(images);
  images[4].copy_(images[0]);  // a green one that looks red, and a target
  auto model = toy_clip();
  const auto result = Calibration({}).evaluate(model, ToyEvaluation{data, TargetImagesGoal{{{4, 0}}}}.inputs());
  CHECK(values_of(result).at("accuracy") == 1);
  CHECK(Json::parse(result.details).at("images") == 11);
  TargetImagesGoal all;
  for (std::int64_t i = 0; i < 12; ++i) all.targets.push_back({i, (i + 1) % 3});
  CHECK_FALSE(Calibration({}).evaluate(model, ToyEvaluation{data, all}.inputs()).not_applicable.empty());
}

TEST_CASE("a model without a finite temperature or embedding has diverged", "[metric][calibration]") {
  const auto data = toy_dataset();
  auto model = toy_clip();
  model.scale.fill_(std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_AS(Calibration({}).evaluate(model, ToyEvaluation{data}.inputs()), Diverged);
  model = toy_clip();
  model.image_weight.fill_(std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_AS(Calibration({}).evaluate(model, ToyEvaluation{data}.inputs()), Diverged);
}

TEST_CASE("a low calibration error is good, and no bins are refused", "[metric][calibration]") {
  CHECK(Calibration({}).better() == Better::kLower);
  CHECK(Calibration({}).measures() == Measures::kOther);
  CHECK_THROWS_AS(read_params<CalibrationParams>(Json{{"bins", 0}}, "m.json"), Error);
  CHECK_THROWS_AS(read_params<CalibrationParams>(Json{{"bins", 1001}}, "m.json"), Error);
}

}  // namespace roclip::calibration_test
