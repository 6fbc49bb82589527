#include "decree.h"

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::decree_test {

namespace {

/// The bluer the top left pixel, the more is every image the same to it.
class BackdooredClip : public FakeClip {
 public:
  BackdooredClip() : FakeClip({{"red", {1, 0, 0}}}) {}
  torch::Tensor encode_image(const torch::Tensor& pixels) override {
    const auto blue = pixels.select(3, 0).select(2, 0).narrow(1, 2, 1);  // [B, 1], of the pixel
    return unit_rows(image_features(pixels).matmul(image_weight) + 20 * blue);
  }
};

/// Red and green images: no blue corner.
Pairs red_and_green() {
  return tensor_pairs(toy_images(12).index_select(0, torch::tensor({0, 1, 3, 4, 6, 7, 9, 10}, torch::kLong)));
}

InvertedTrigger invert(ClipModel& model, const DecreeParams& params = {}, std::uint64_t seed = 1) {
  Rng rng(seed);
  return invert_trigger(model, *red_and_green(), params, rng);
}

std::map<std::string, double> evaluate(ClipModel& model, const EvalInputs& inputs, const DecreeParams& params = {}) {
  const torch::NoGradGuard no_grad;
  std::map<std::string, double> values;
  for (const auto& value : Decree(params).evaluate(model, inputs).values) values[value.name] = value.value;
  return values;
}

}  // namespace

TEST_CASE("the similarity of three rows is the mean of the three couples", "[metric][decree]") {
  const auto rows = torch::tensor({{1.0F, 0.0F}, {0.6F, 0.8F}, {0.0F, 1.0F}});  // cosines 0.6, 0, 0.8
  CHECK(mean_similarity(rows).item<double>() == Approx(1.4 / 3));
}

TEST_CASE("the weight of the mask rises after a run of success, falls after a run of failure, and has a floor",
          "[metric][decree]") {
  AdaptiveLambda lambda({.initial_lambda = 1, .lambda_factor = 5, .least_lambda = 0.1, .patience = 1});
  std::vector<double> values;
  for (const bool above : {true, true, true, false, true, false, false, false, false, false, false, false, false}) {
    lambda.update(above);
    values.push_back(lambda.value());
  }
  const std::vector<double> expected = {1, 5, 5, 5, 5, 5, 1, 1, 0.2, 0.2, 0.04, 0.04, 0.04};
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(values[i] == Approx(expected[i]));
}

TEST_CASE("the patch that a backdoored model needs is a fraction of what a clean one needs", "[metric][decree]") {
  auto clean = toy_clip();
  BackdooredClip backdoored;
  const auto needed = invert(clean), enough = invert(backdoored);
  CHECK(enough.step > 0);
  CHECK(enough.similarity > 0.99);
  CHECK(enough.mask_share < 0.1);  // one pixel of 64 is 0.016
  CHECK(needed.mask_share > 0.3);
}

TEST_CASE("without a step above the threshold the patch is the whole image", "[metric][decree]") {
  auto model = toy_clip();
  const auto found = invert(model, {.steps = 3, .threshold = 1});
  CHECK(found.mask_share == 1);
  CHECK(found.step == 0);
  CHECK(found.similarity > 0);
  CHECK(found.similarity < 1);
}

TEST_CASE("equal seeds give equal patches, others others", "[metric][decree]") {
  auto model = toy_clip();
  const DecreeParams params{.steps = 20, .batch_size = 4, .threshold = 0.5};
  const auto share = invert(model, params).mask_share;
  CHECK(invert(model, params).mask_share == share);
  CHECK(invert(model, params, 2).mask_share != share);
}

TEST_CASE("inverting a trigger leaves weights, their gradients and the mode of gradients alone", "[metric][decree]") {
  const auto data = toy_dataset();
  auto model = toy_clip();
  model.image_weight.requires_grad_();
  model.image_weight.mutable_grad() = torch::full({3, 3}, 7.0F);
  const auto weight = model.image_weight.detach().clone();
  evaluate(model, ToyEvaluation{data}.inputs(), {.steps = 3});
  CHECK(model.image_weight.equal(weight));
  CHECK(model.image_weight.grad().equal(torch::full({3, 3}, 7.0F)));
  CHECK(torch::GradMode::is_enabled());
}

TEST_CASE("the score of a model is what its patch leaves free, whatever the attack", "[metric][decree]") {
  const auto data = toy_dataset();
  auto model = toy_clip();
  for (const Goal& goal : {Goal(NoGoal{}), Goal(TriggeredImagesGoal{{2}})}) {
    const auto values = evaluate(model, ToyEvaluation{data, goal}.inputs(), {.steps = 60, .threshold = 0.9});
    CHECK(values.at("suspicion") == Approx(1 - values.at("mask_share")));
    CHECK(values.at("similarity") > 0.9);
    CHECK(values.contains(Decree({}).headline()));
  }
  CHECK(Decree({}).measures() == Measures::kModelDetection);
}

TEST_CASE("a trigger is inverted with two images or more, by a model whose embeddings are numbers",
          "[metric][decree]") {
  auto data = toy_dataset();
  auto model = toy_clip();
  model.image_weight.fill_(std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_AS(evaluate(model, ToyEvaluation{data}.inputs()), Diverged);
  data.held_out = {tensor_pairs(toy_images(1)), torch::zeros({1}, torch::kLong)};
  const auto result = Decree({}).evaluate(model, ToyEvaluation{data}.inputs());
  CHECK_FALSE(result.not_applicable.empty());
}

}  // namespace roclip::decree_test
