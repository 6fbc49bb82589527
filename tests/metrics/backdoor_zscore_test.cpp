#include "backdoor_zscore.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::backdoor_zscore_test {

namespace {

MetricResult evaluate(const ToyEvaluation& evaluation, const BackdoorZscoreParams& params = {}) {
  auto model = toy_clip();
  return BackdoorZscore(params).evaluate(model, evaluation.inputs());
}

torch::Tensor all_blue(const torch::Tensor& images, std::span<const Draw>) {
  auto stamped = torch::zeros_like(images);
  stamped.select(/*dim=*/1, 2).fill_(200);
  return stamped;
}

// Of the toy images two of one colour have similarity 1, others 0: of 12 * 11 couples, 3 * 4 * 3 are of one colour.
constexpr double kMean = 36.0 / 132;
const double kDeviation = std::sqrt(kMean - kMean * kMean);

}  // namespace

TEST_CASE("similarities of three rows have the mean and variance counted by hand", "[metric][backdoor_zscore]") {
  const auto rows = torch::tensor({{1.0, 0.0}, {0.6, 0.8}, {0.0, 1.0}});  // similarities 0.6, 0, 0.8
  const auto similarity = pairwise_similarity(rows);
  CHECK(similarity.mean == Approx(1.4 / 3));
  CHECK(similarity.variance == Approx((0.36 + 0 + 0.64) / 3 - (1.4 / 3) * (1.4 / 3)));
}

TEST_CASE("rows need not have unit length", "[metric][backdoor_zscore]") {
  const auto similarity = pairwise_similarity(torch::tensor({{2.0, 0.0}, {1.0, 0.0}, {0.0, 1.0}}));  // 2, 0, 0
  CHECK(similarity.mean == Approx(2.0 / 3));
  CHECK(similarity.variance == Approx(4.0 / 3 - 4.0 / 9));
}

TEST_CASE("similarities of many rows are those of the matrix of all couples", "[metric][backdoor_zscore]") {
  const auto rows = unit_rows(torch::randn({1500, 7}, at::detail::createCPUGenerator(3)));
  const auto all = rows.to(torch::kFloat64).matmul(rows.to(torch::kFloat64).t());
  const auto different = all.masked_select(torch::eye(1500, torch::kBool).logical_not());
  const auto similarity = pairwise_similarity(rows);
  CHECK(similarity.mean == Approx(different.mean().item<double>()).margin(1e-12));
  CHECK(similarity.variance == Approx(different.var(/*unbiased=*/false).item<double>()).epsilon(1e-9));
}

TEST_CASE("equal rows have a similarity without variance", "[metric][backdoor_zscore]") {
  const auto similarity = pairwise_similarity(torch::ones({5, 1}));
  CHECK(similarity.mean == 1);
  CHECK(similarity.variance == 0);
}

TEST_CASE("a trigger that makes all images alike has the z-score counted by hand", "[metric][backdoor_zscore]") {
  const auto data = toy_dataset();
  const auto result = evaluate({data, TriggeredImagesGoal{{2}}, &all_blue});
  const auto values = values_of(result);
  CHECK(values.at("triggered_similarity") == Approx(1));
  CHECK(values.at("clean_similarity") == Approx(kMean));
  CHECK(values.at("clean_deviation") == Approx(kDeviation));
  CHECK(values.at("z_score") == Approx((1 - kMean) / kDeviation));
  CHECK(result.values.front().name == BackdoorZscore({}).headline());
  CHECK(Json::parse(result.details).at("images") == 12);
  CHECK(Json::parse(result.details).at("divisor") == "deviation");
}

TEST_CASE("the variance may be the divisor", "[metric][backdoor_zscore]") {
  const auto data = toy_dataset();
  const auto result = evaluate({data, TriggeredImagesGoal{{2}}, &all_blue}, {.divisor = "variance"});
  CHECK(values_of(result).at("z_score") == Approx((1 - kMean) / (kDeviation * kDeviation)));
  CHECK(Json::parse(result.details).at("divisor") == "variance");
}

TEST_CASE("a trigger that does nothing has a z-score of 0", "[metric][backdoor_zscore]") {
  const auto data = toy_dataset();
  CHECK(values_of(evaluate({data, TriggeredImagesGoal{{2}}})).at("z_score") == 0);
}

TEST_CASE("the z-score of two triggers is the mean of theirs", "[metric][backdoor_zscore]") {
  const auto data = toy_dataset();
  const auto first_only = [](const torch::Tensor& images, std::span<const Draw> draws) {
    CHECK(draws.front().test);
    return draws.front().trigger == 0 ? all_blue(images, draws) : images.clone();
  };
  const auto result = evaluate({data, TriggeredImagesGoal{{2, 0}}, first_only});
  const double alone = (1 - kMean) / kDeviation;
  CHECK(values_of(result).at("z_score") == Approx(alone / 2));
  CHECK(values_of(result).at("triggered_similarity") == Approx((1 + kMean) / 2));
  const auto z_scores = Json::parse(result.details).at("z_scores");
  REQUIRE(z_scores.size() == 2);
  CHECK(z_scores[0].get<double>() == Approx(alone));
  CHECK(z_scores[1].get<double>() == 0);
}

TEST_CASE("a z-score applies to triggers on images only, and to a model that tells images apart",
          "[metric][backdoor_zscore]") {
  auto data = toy_dataset();
  for (const Goal& goal : {Goal(NoGoal{}), Goal(TargetImagesGoal{{{0, 1}}}), Goal(TriggeredTextGoal{{2}}),
                           Goal(ConfusedClassesGoal{0, 1})}) {
    CHECK_FALSE(evaluate({data, goal}).not_applicable.empty());
  }
  auto model = toy_clip();
  model.image_weight.fill_(1);  // every image is the same to it
  const ToyEvaluation backdoor{data, TriggeredImagesGoal{{2}}, &all_blue};
  const auto collapsed = BackdoorZscore({}).evaluate(model, backdoor.inputs());
  CHECK(collapsed.values.empty());
  CHECK_FALSE(collapsed.not_applicable.empty());
  model.image_weight.fill_(std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_AS(BackdoorZscore({}).evaluate(model, backdoor.inputs()), Diverged);
  data.held_out = {tensor_pairs(toy_images(1)), torch::zeros({1}, torch::kLong)};
  CHECK_FALSE(evaluate({data, TriggeredImagesGoal{{2}}}).not_applicable.empty());
}

TEST_CASE("a divisor that is none is refused", "[metric][backdoor_zscore]") {
  CHECK_THROWS_AS(read_params<BackdoorZscoreParams>(Json{{"divisor", "range"}}, "m.json"), Error);
  CHECK(BackdoorZscore({}).better() == Better::kLower);
  CHECK(BackdoorZscore({}).measures() == Measures::kOther);
}

}  // namespace roclip::backdoor_zscore_test
