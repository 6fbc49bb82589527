#include "siglip.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::siglip_test {

namespace {

struct Surroundings {
  FakeClip model{{{"east", {1, 0}}, {"north", {0, 1}}}};
  ToySurroundings toy{model, {"east", "north"}};
};

torch::Tensor axes() { return torch::tensor({{1.0F, 0.0F}, {0.0F, 1.0F}}); }
torch::Tensor turned() { return torch::tensor({{0.0F, 1.0F}, {0.8F, 0.6F}}); }

double softplus(double x) { return std::log1p(std::exp(x)); }

SiglipDefense::Params starting_at(double bias) {
  return {.bias_start = "value", .initial_bias = bias, .bias = "learned"};
}

/// A step of training on two pairs. @return its loss
double step(SiglipDefense& defense, TrainContext& context) {
  const auto loss = defense.loss({}, axes(), turned(), context);
  loss.backward();
  defense.after_step(context);
  return loss.item<double>();
}

}  // namespace

TEST_CASE("the sigmoid loss of two pairs is the value worked out by hand", "[defense][siglip]") {
  // Cosines of image i and caption j: 0, 0.8; 1, 0.6. Own captions stand on the diagonal.
  const double scale = 10, bias = -3;
  const double expected = (softplus(-(scale * 0 + bias)) + softplus(scale * 0.8 + bias) +  // image 1
                           softplus(scale * 1 + bias) + softplus(-(scale * 0.6 + bias))) /
                          2;
  const auto loss = sigmoid_loss(axes(), turned(), torch::tensor(10.0F), torch::tensor(-3.0F));
  CHECK(loss.item<double>() == Approx(expected).epsilon(1e-5));
}

TEST_CASE("the sigmoid loss stays finite at the largest scale", "[defense][siglip]") {
  const auto loss = sigmoid_loss(axes(), -axes(), torch::tensor(100.0F), torch::tensor(-100.0F));
  CHECK(loss.item<double>() == Approx(200));
}

TEST_CASE("siglip's bias begins with the prior of the batch, or with the value that was asked for",
          "[defense][siglip]") {
  Surroundings s;
  s.toy.context.stage.batch_size = 64;
  SiglipDefense prior(SiglipDefense::Params{}), value(starting_at(-10));
  CHECK_FALSE(prior.bias());
  prior.loss({}, axes(), turned(), s.toy.context);
  CHECK(*prior.bias() == Approx(-std::log(63)));
  const auto loss = value.loss({}, axes(), turned(), s.toy.context);
  CHECK(*value.bias() == -10);
  CHECK(loss.item<double>() ==
        sigmoid_loss(axes(), turned(), torch::tensor(10.0F), torch::tensor(-10.0F)).item<double>());
  s.toy.context.stage.batch_size = 2;
  SiglipDefense pair(SiglipDefense::Params{});
  pair.loss({}, axes(), turned(), s.toy.context);
  CHECK(*pair.bias() == 0);
}

TEST_CASE("siglip learns its bias by Adam: the first step is the learning rate, against the gradient",
          "[defense][siglip]") {
  Surroundings s;
  s.toy.context.stage.learning_rate = 0.25;
  SiglipDefense low(starting_at(-40)), high(starting_at(40));
  step(low, s.toy.context);
  step(high, s.toy.context);
  CHECK(*low.bias() == Approx(-39.75));
  CHECK(*high.bias() == Approx(39.75));
}

TEST_CASE("siglip's learned bias goes to the least loss, a fixed one stays", "[defense][siglip]") {
  Surroundings s;
  s.toy.context.stage.learning_rate = 0.05;
  SiglipDefense learned(starting_at(-3));
  auto params = starting_at(-3);
  params.bias = "fixed";
  SiglipDefense fixed(params);
  const auto first = step(learned, s.toy.context);
  for (int i = 0; i < 400; ++i) step(learned, s.toy.context);
  const auto at = [&](double bias) {
    return sigmoid_loss(axes(), turned(), torch::tensor(10.0F), torch::tensor(static_cast<float>(bias))).item<double>();
  };
  CHECK(at(*learned.bias()) < first - 0.1);
  CHECK(at(*learned.bias()) < at(*learned.bias() + 0.5));
  CHECK(at(*learned.bias()) < at(*learned.bias() - 0.5));
  const auto z_img = axes().requires_grad_();
  fixed.loss({}, z_img, turned(), s.toy.context).backward();
  fixed.after_step(s.toy.context);
  CHECK(*fixed.bias() == -3);
  CHECK(z_img.grad().abs().sum().item<double>() > 0);
}

TEST_CASE("siglip loaded from its saved state takes the same next steps", "[defense][siglip]") {
  Surroundings s;
  s.toy.context.stage.learning_rate = 0.1;
  SiglipDefense saved(starting_at(-3)), loaded(starting_at(-3)), fresh(starting_at(-3)), empty(starting_at(-3));
  for (int i = 0; i < 5; ++i) step(saved, s.toy.context);
  copy_state(saved, loaded);
  CHECK(loaded.bias() == saved.bias());
  for (int i = 0; i < 5; ++i) CHECK(step(loaded, s.toy.context) == step(saved, s.toy.context));
  CHECK(loaded.bias() == saved.bias());
  copy_state(empty, fresh);
  CHECK_FALSE(fresh.bias());
}

}  // namespace roclip::siglip_test
