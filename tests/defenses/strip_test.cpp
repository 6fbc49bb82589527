#include "strip.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "support/deployment.h"

namespace roclip::strip_test {

TEST_CASE("an input that loses its class under an overlay is less suspicious than one that keeps it",
          "[defense][strip]") {
  const ToyDeployment toy(coloured({{0, 0, 1}}));  // the overlay is blue
  const StripDefense defense({.overlays = 1, .alpha = 0.5});
  const auto scores = defense.input_suspicion(coloured({{1, 0, 0}, {0, 0, 1}}), toy.inputs);
  REQUIRE(scores);
  // Red under blue lies between both classes; blue under blue has cosines 0 and 1.
  const double p = std::exp(1.0) / (1 + std::exp(1.0));
  CHECK((*scores)[0].item<double>() == Approx(-std::log(2.0)));
  CHECK((*scores)[1].item<double>() == Approx(p * std::log(p) + (1 - p) * std::log(1 - p)));
}

TEST_CASE("the entropy is the mean over the overlays, of which there are at most the trusted images",
          "[defense][strip]") {
  const auto image = coloured({{1, 0, 0}});
  const auto score_under = [&](const torch::Tensor& references, std::int64_t overlays) {
    const ToyDeployment toy(references);
    return StripDefense({.overlays = overlays, .alpha = 0.5}).input_suspicion(image, toy.inputs)->item<double>();
  };
  const double red = score_under(coloured({{1, 0, 0}}), 1), blue = score_under(coloured({{0, 0, 1}}), 1);
  CHECK(red > blue);
  CHECK(score_under(coloured({{1, 0, 0}, {0, 0, 1}}), 100) == Approx((red + blue) / 2));
}

TEST_CASE("without trusted images strip inspects nothing", "[defense][strip]") {
  const ToyDeployment toy(torch::empty({0, 3, 2, 2}));
  CHECK_FALSE(StripDefense({}).input_suspicion(coloured({{1, 0, 0}}), toy.inputs));
}

TEST_CASE("strip begins where plain training ends", "[defense][strip]") {
  const auto stages = StripDefense({}).stages({.epochs = 3});
  REQUIRE(stages.size() == 1);
  CHECK(stages[0].plain);
  CHECK(stages[0].epochs == 3);
}

}  // namespace roclip::strip_test
