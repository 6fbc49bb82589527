#include <catch2/catch.hpp>

#include "harness/stats/power.h"

using namespace roclip::bench;

TEST_CASE("six items or seeds that all agree are the fewest that reach p < 0.05, two-sided", "[stats]") {
  CHECK(fewest_discordant_items() == 6);  // 2 / 2^5 = 0.0625, 2 / 2^6 = 0.03125
  CHECK(fewest_seeds() == 6);
}
