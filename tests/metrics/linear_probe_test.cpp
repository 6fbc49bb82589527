#include "linear_probe.h"

#include <torch/utils.h>
#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::linear_probe_test {

namespace {

/// Three overlapping clouds in five dimensions.
struct Clouds {
  torch::Tensor labels = torch::arange(60, torch::kLong) % 3;
  torch::Tensor features = torch::randn({60, 5}, at::detail::createCPUGenerator(5), torch::kFloat64) +
                           torch::one_hot(labels, 5).to(torch::kFloat64);
};

}  // namespace

TEST_CASE("the probe's classifier equals plain gradient descent", "[metric][linear_probe]") {
  const Clouds data;
  const auto mean = data.features.mean(/*dim=*/0), scale = data.features.std(/*dim=*/0, /*unbiased=*/false);
  const auto features = (data.features - mean) / scale;
  constexpr double kL2 = 0.05;
  auto weight = torch::zeros({5, 3}, torch::kFloat64), bias = torch::zeros({3}, torch::kFloat64);
  const auto truth = torch::one_hot(data.labels, 3).to(torch::kFloat64);
  for (int step = 0; step < 5000; ++step) {
    const auto error = (torch::softmax(features.matmul(weight) + bias, /*dim=*/1) - truth) / 60;
    weight -= 0.5 * (features.t().matmul(error) + kL2 * weight);
    bias -= 0.5 * error.sum(/*dim=*/0);
  }
  const torch::NoGradGuard as_in_the_harness;
  const auto fitted = fit_classifier(data.features, data.labels, 3, {.l2 = kL2, .max_iterations = 200});
  CHECK(fitted.mean.equal(mean));
  CHECK(fitted.scale.equal(scale));
  CHECK((fitted.weight - weight).abs().max().item<double>() < 1e-5);
  CHECK((fitted.bias - bias).abs().max().item<double>() < 1e-5);
  CHECK(fitted.max_gradient < 1e-6);
  const double loss = torch::cross_entropy_loss(fitted.logits(data.features), data.labels).item<double>();
  CHECK(fitted.loss == Approx(loss + kL2 / 2 * fitted.weight.square().sum().item<double>()));
}

TEST_CASE("the probe's classifier has the same bits twice", "[metric][linear_probe]") {
  const Clouds data;
  const auto once = fit_classifier(data.features, data.labels, 3, {});
  const auto again = fit_classifier(data.features, data.labels, 3, {});
  CHECK(once.weight.equal(again.weight));
  CHECK(once.bias.equal(again.bias));
}

TEST_CASE("a linear probe separates what is separable, without the targets", "[metric][linear_probe]") {
  const auto data = toy_dataset();
  auto model = toy_clip();
  const torch::NoGradGuard as_in_the_harness;
  const auto result = LinearProbe({}).evaluate(model, ToyEvaluation{data, TargetImagesGoal{{{2, 0}}}}.inputs());
  REQUIRE(result.counts.size() == 2);
  CHECK(result.counts[0].name == "top1");
  CHECK(result.counts[0].hits == 11);
  CHECK(result.counts[0].trials == 11);
  CHECK(std::ranges::count(result.counts[0].items, 2) == 0);
  CHECK(Json::parse(result.details).at("probe_accuracy") == 1.0);
  CHECK_FALSE(torch::GradMode::is_enabled());
}

TEST_CASE("a linear probe is fitted on the probe set and reads features, not embeddings", "[metric][linear_probe]") {
  const auto data = toy_dataset();
  data.probe.labels.copy_((data.probe.labels + 1) % 3);  // taught wrong: red is called green, and so on
  auto model = toy_clip();
  model.image_weight.zero_();
  const auto result = LinearProbe({}).evaluate(model, ToyEvaluation{data}.inputs());
  CHECK(result.counts[0].hits == 0);
  CHECK(Json::parse(result.details).at("probe_accuracy") == 1.0);
}

TEST_CASE("a feature that never changes does not disturb a linear probe", "[metric][linear_probe]") {
  auto data = toy_dataset();
  const auto no_blue = toy_images(12);
  no_blue.select(/*dim=*/1, 2).zero_();
  data.probe.pairs = data.held_out.pairs = tensor_pairs(no_blue);
  auto model = toy_clip();
  const auto result = LinearProbe({}).evaluate(model, ToyEvaluation{data}.inputs());
  CHECK(result.counts[0].hits == 12);  // blue ones are now the black ones
}

}  // namespace roclip::linear_probe_test
