#include <algorithm>
#include <vector>

#include <catch2/catch.hpp>

#include "harness/record/intervals.h"

using namespace roclip::bench;

TEST_CASE("the Wilson interval agrees with published worked examples", "[stats]") {
  // Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
  CHECK(wilson({81, 263}).low == Approx(0.2553).margin(5e-5));
  CHECK(wilson({81, 263}).high == Approx(0.3662).margin(5e-5));
  CHECK(wilson({15, 148}).low == Approx(0.0624).margin(5e-5));
  CHECK(wilson({15, 148}).high == Approx(0.1605).margin(5e-5));
  CHECK(wilson({0, 20}).low == 0);
  CHECK(wilson({0, 20}).high == Approx(0.1611).margin(5e-5));
  CHECK(wilson({1, 29}).low == Approx(0.0061).margin(5e-5));
  CHECK(wilson({1, 29}).high == Approx(0.1718).margin(5e-5));
}

TEST_CASE("the Wilson interval of all hits mirrors that of none", "[stats]") {
  CHECK(wilson({16, 16}).high == Approx(1));
  CHECK(wilson({16, 16}).low == Approx(1 - wilson({0, 16}).high));
}

TEST_CASE("the t interval agrees with Student's own example", "[stats]") {
  // Student 1908, Biometrika 6:1, additional hours of sleep; limits as R's t.test() prints them
  const double hours[] = {1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4};
  CHECK(mean(hours) == Approx(1.58));
  CHECK(t_interval(hours).low == Approx(0.7001142));
  CHECK(t_interval(hours).high == Approx(2.4598858));
  const double equal[] = {0.5, 0.5, 0.5};
  CHECK(t_interval(equal).low == 0.5);
  CHECK(t_interval(equal).high == 0.5);
}

TEST_CASE("over seeds, equal counts are not certainty, and more seeds narrow the interval", "[stats]") {
  const std::vector<Counted> three(3, {0, 16}), nine(9, {0, 16});
  CHECK(over_seeds(three).low == 0);
  CHECK(over_seeds(three).high > over_seeds(nine).high);
  CHECK(over_seeds(nine).high > 0.02);
  CHECK(over_seeds(std::vector<Counted>{{2, 16}}).high == wilson({2, 16}).high);
  // Where seeds differ more than counting explains, it is the plain t interval.
  const std::vector<Counted> apart = {{0, 1000}, {500, 1000}, {900, 1000}};
  const double values[] = {0, 0.5, 0.9};
  CHECK(over_seeds(apart).low == Approx(std::max(0.0, t_interval(values).low)));
}

TEST_CASE("the interval of a difference of two shares agrees with the published example", "[stats]") {
  // Newcombe 1998, Statistics in Medicine 17:873, table II, method 10: 56/70 - 48/80
  const std::vector<Counted> a = {{56, 70}}, b = {{48, 80}};
  CHECK(difference_over_seeds(a, b).low == Approx(0.0524).margin(5e-5));
  CHECK(difference_over_seeds(a, b).high == Approx(0.3339).margin(5e-5));
  const std::vector<Counted> many_a(6, {15, 16}), many_b(6, {2, 16});
  const auto paired = difference_over_seeds(many_a, many_b);
  CHECK(paired.low > 0.6);
  CHECK(paired.high < 1);
}
