#include <bit>
#include <string>

#include <catch2/catch.hpp>

#include "harness/report/significance.h"

using namespace roclip::bench;

TEST_CASE("the sign test equals counting all outcomes of the coins", "[stats]") {
  for (int n = 1; n <= 10; ++n) {
    for (int wins = 0; wins <= n; ++wins) {
      const int uneven = std::abs(2 * wins - n);
      int extreme = 0;
      for (unsigned coins = 0; coins < 1U << n; ++coins) extreme += std::abs(2 * std::popcount(coins) - n) >= uneven;
      INFO(wins << " of " << n);
      CHECK(sign_test(wins, n - wins) == Approx(extreme / static_cast<double>(1U << n)));
    }
  }
  CHECK(sign_test(0, 0) == 1);
}

TEST_CASE("McNemar's exact test looks at the items that differ, and at nothing else", "[stats]") {
  CHECK(mcnemar("1111111110", "0000000001") == Approx(sign_test(9, 1)));
  CHECK(sign_test(9, 1) == Approx(22.0 / 1024));
  CHECK(mcnemar("0111111111110", "0000000001000") == Approx(sign_test(10, 0)));
  CHECK(mcnemar("0110", "0110") == 1);
}

TEST_CASE("the permutation test agrees with Fisher's on Darwin's maize", "[stats]") {
  // Fisher 1935, The Design of Experiments, section 21: 1726 of 32768 arrangements, 5.267 %
  const double eighths_of_an_inch[] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
  CHECK(permutation_test(eighths_of_an_inch) == Approx(1726.0 / 32768));
  const double none[] = {0, 0, 0};
  CHECK(permutation_test(none) == 1);
  const std::vector<double> many(30, 0.25);
  CHECK(permutation_test(many) == Approx(sign_test(30, 0)));
}

TEST_CASE("Holm's adjustment multiplies, and never lets a larger p overtake a smaller one", "[stats]") {
  const double p[] = {0.01, 0.04, 0.03, 0.005};
  const auto adjusted = holm(p);
  CHECK(adjusted[0] == Approx(0.03));
  CHECK(adjusted[1] == Approx(0.06));
  CHECK(adjusted[2] == Approx(0.06));
  CHECK(adjusted[3] == Approx(0.02));
  CHECK(holm({}).empty());
}

TEST_CASE("six items or seeds that all agree are the fewest that reach p < 0.05, two-sided", "[stats]") {
  CHECK(fewest_unanimous() == 6);  // 2 / 2^5 = 0.0625, 2 / 2^6 = 0.03125
  CHECK(fewest_unanimous(12) == 9);
}
