#include <cmath>

#include <catch2/catch.hpp>

#include "roclip/clip_model.h"
#include "support/fake_clip.h"

using namespace roclip;

TEST_CASE("the CLIP loss of two orthogonal pairs is the value worked out by hand", "[clip_loss]") {
  const auto eye = torch::eye(2);
  // logits = scale * I: each cross-entropy is -log(e^s / (e^s + 1)) = log(1 + e^-s)
  const auto loss = clip_loss(eye, eye, torch::tensor(3.0F));
  CHECK(loss.item<double>() == Approx(std::log1p(std::exp(-3.0))));
}

TEST_CASE("the CLIP loss is symmetric in its arguments", "[clip_loss]") {
  torch::manual_seed(1);
  const auto a = unit_rows(torch::randn({5, 4})), b = unit_rows(torch::randn({5, 4}));
  const auto scale = torch::tensor(7.0F);
  CHECK(clip_loss(a, b, scale).item<double>() == Approx(clip_loss(b, a, scale).item<double>()));
}

TEST_CASE("the gradient of the CLIP loss agrees with finite differences", "[clip_loss]") {
  torch::manual_seed(2);
  auto a = torch::randn({4, 3}, torch::kFloat64).requires_grad_();
  const auto b = unit_rows(torch::randn({4, 3}, torch::kFloat64));
  auto scale = torch::tensor(5.0, torch::kFloat64).requires_grad_();
  const auto value = [&](const torch::Tensor& x, const torch::Tensor& s) { return clip_loss(unit_rows(x), b, s); };
  value(a, scale).backward();
  const torch::NoGradGuard no_grad;
  constexpr double h = 1e-6;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    auto up = a.detach().clone(), down = a.detach().clone();
    up.view({-1})[i] += h;
    down.view({-1})[i] -= h;
    const double slope = (value(up, scale).item<double>() - value(down, scale).item<double>()) / (2 * h);
    CHECK(a.grad().view({-1})[i].item<double>() == Approx(slope).margin(1e-7));
  }
  const double slope = (value(a, scale + h).item<double>() - value(a, scale - h).item<double>()) / (2 * h);
  CHECK(scale.grad().item<double>() == Approx(slope).margin(1e-7));
}

TEST_CASE("a class embeds as the normalised mean of its prompts", "[clip_model]") {
  FakeClip model({{"red", {1, 0}}, {"apple", {0, 1}}});
  const auto rows = class_embeddings(model, {{"fruit", {"red", "apple"}}, {"colour", {"red"}}});
  CHECK(torch::allclose(rows, torch::tensor({{std::sqrt(0.5F), std::sqrt(0.5F)}, {1.0F, 0.0F}})));
}
