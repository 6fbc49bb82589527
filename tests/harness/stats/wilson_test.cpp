#include <catch2/catch.hpp>

#include "harness/stats/wilson.h"

using roclip::bench::wilson_95;

TEST_CASE("the Wilson interval agrees with published worked examples", "[stats]") {
  // Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
  CHECK(wilson_95(81, 263).low == Approx(0.2553).margin(5e-5));
  CHECK(wilson_95(81, 263).high == Approx(0.3662).margin(5e-5));
  CHECK(wilson_95(15, 148).low == Approx(0.0624).margin(5e-5));
  CHECK(wilson_95(15, 148).high == Approx(0.1605).margin(5e-5));
  CHECK(wilson_95(0, 20).low == 0);
  CHECK(wilson_95(0, 20).high == Approx(0.1611).margin(5e-5));
  CHECK(wilson_95(1, 29).low == Approx(0.0061).margin(5e-5));
  CHECK(wilson_95(1, 29).high == Approx(0.1718).margin(5e-5));
}

TEST_CASE("the Wilson interval of all hits mirrors that of none", "[stats]") {
  CHECK(wilson_95(16, 16).high == Approx(1));
  CHECK(wilson_95(16, 16).low == Approx(1 - wilson_95(0, 16).high));
}
