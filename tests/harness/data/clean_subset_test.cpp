#include "harness/data/data.h"

#include <algorithm>

#include <catch2/catch.hpp>

using roclip::bench::clean_subset;

TEST_CASE("the clean subset is a share of the pairs, each once and in order", "[data]") {
  const auto indices = clean_subset(10033, 0.05);
  CHECK(indices.size() == 502);
  CHECK(std::ranges::is_sorted(indices));
  CHECK(std::ranges::adjacent_find(indices) == indices.end());
  CHECK(indices.front() >= 0);
  CHECK(indices.back() < 10033);
  CHECK(clean_subset(10033, 0).empty());
  CHECK(clean_subset(0, 0.5).empty());
  CHECK(clean_subset(3, 1) == std::vector<std::int64_t>{0, 1, 2});
}

TEST_CASE("the clean subset is the same each time, and a larger share contains a smaller one", "[data]") {
  const auto small = clean_subset(1000, 0.01), large = clean_subset(1000, 0.1);
  CHECK(clean_subset(1000, 0.01) == small);
  CHECK(std::ranges::includes(large, small));
}
