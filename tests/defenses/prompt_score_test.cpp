#include "prompt_score.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "support/deployment.h"

namespace roclip::prompt_score_test {

TEST_CASE("the score is the cosine with the nearest class, or minus that", "[defense][prompt_score]") {
  const ToyDeployment toy(torch::empty({0, 3, 2, 2}));
  const auto images = coloured({{1, 0, 0}, {0.5, 0, 0.5}, {0, 1, 1}});
  const auto near = PromptScoreDefense({}).input_suspicion(images, toy.inputs);
  REQUIRE(near);
  CHECK((*near)[0].item<double>() == Approx(1));
  CHECK((*near)[1].item<double>() == Approx(std::sqrt(0.5)));
  CHECK((*near)[2].item<double>() == Approx(std::sqrt(0.5)));
  const auto far = PromptScoreDefense({.suspicious = "far"}).input_suspicion(images, toy.inputs);
  CHECK(far->equal(-*near));
}

TEST_CASE("prompt_score begins where plain training ends", "[defense][prompt_score]") {
  CHECK(PromptScoreDefense({}).stages({}).at(0).plain);
}

}  // namespace roclip::prompt_score_test
