#include "roclip/clustering.h"

#include <torch/utils.h>
#include <catch2/catch.hpp>

using namespace roclip;

TEST_CASE("k_means finds clusters, and leaves an empty one where it is", "[plugins]") {
  const auto points = torch::tensor({0.0, 1.0, 2.0, 10.0, 12.0}, torch::kDouble).unsqueeze(1);
  const auto centres = torch::tensor({1.0, 3.0, 100.0}, torch::kDouble).unsqueeze(1);
  // Round 1: 0, 1, 2 (a tie, to the lower) | 10, 12 |. Means 1 and 11; round 2 changes nothing.
  CHECK(k_means(points, centres).equal(torch::tensor({0, 0, 0, 1, 1}, torch::kLong)));
  // From 0 and 2: 0, 1 | 2, 10, 12; means 0.5 and 8; then 2 goes over.
  const auto moving = torch::tensor({0.0, 2.0}, torch::kDouble).unsqueeze(1);
  CHECK(k_means(points, moving).equal(torch::tensor({0, 0, 0, 1, 1}, torch::kLong)));
}

TEST_CASE("k_means in blocks of rows equals that of fewer points", "[plugins]") {
  const auto left = torch::randn({5000, 2}, at::detail::createCPUGenerator(3), torch::kDouble);
  const auto cluster = k_means(torch::cat({left, left + 100}), torch::stack({left[0], left[0] + 100}));
  CHECK(cluster.equal(torch::cat({torch::zeros({5000}, torch::kLong), torch::ones({5000}, torch::kLong)})));
}

TEST_CASE("captions that are alike are one cluster, and no cluster is empty", "[plugins]") {
  const auto captions = torch::tensor({0.0, 0.1, 9.0, 9.1, 9.2, 0.2}, torch::kDouble).unsqueeze(1);
  Rng rng(1);
  const auto clusters = caption_clusters(captions, 6, rng);
  REQUIRE(clusters.size() == 1);
  CHECK(clusters[0].equal(torch::arange(6, torch::kLong)));
  std::int64_t pairs = 0;
  for (const auto& members : caption_clusters(captions, 1, rng)) {
    CHECK(members.numel() > 0);
    pairs += members.numel();
  }
  CHECK(pairs == 6);
}
