#include "subspace.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "support/deployment.h"

namespace roclip::subspace_test {

TEST_CASE("the distance leaves out what lies along the main directions", "[defense][subspace]") {
  const auto spanning = torch::tensor({{0.0, 0.0, 1.0}, {0.0, 2.0, 1.0}}, torch::kDouble);  // mean (0, 1, 1), along y
  const auto points = torch::tensor({{3.0, 5.0, 1.0}, {0.0, 9.0, 1.0}}, torch::kDouble);
  CHECK(distance_to_subspace(points, spanning, 1).allclose(torch::tensor({3.0, 0.0}, torch::kDouble)));
  CHECK(distance_to_subspace(points, spanning, 0).allclose(torch::tensor({5.0, 8.0}, torch::kDouble)));
}

TEST_CASE("two prompts span one direction, however many are asked for", "[defense][subspace]") {
  const auto spanning = torch::tensor({{0.0, 0.0, 1.0}, {0.0, 2.0, 1.0}}, torch::kDouble);
  const auto point = torch::tensor({{3.0, 5.0, 2.0}}, torch::kDouble);
  CHECK(distance_to_subspace(point, spanning, 7).equal(distance_to_subspace(point, spanning, 1)));
}

TEST_CASE("an image is held against the prompts of the class that it is given", "[defense][subspace]") {
  const ToyDeployment toy(torch::empty({0, 3, 2, 2}));
  const auto scores = SubspaceDefense({}).input_suspicion(coloured({{1, 0, 0}, {0, 1, 2}}), toy.inputs);
  REQUIRE(scores);
  // One prompt a class: the distance to it. (0, 1, 2) has unit length as (0, 1, 2) / sqrt(5), and is given "blue".
  CHECK((*scores)[0].item<double>() == Approx(0).margin(1e-6));
  CHECK((*scores)[1].item<double>() == Approx(std::sqrt(0.2 + std::pow(1 - 2 / std::sqrt(5.0), 2))));
}

}  // namespace roclip::subspace_test
