#include <catch2/catch.hpp>

#include "harness/train/trainer.h"

using roclip::bench::learning_rate_at;

TEST_CASE("the learning rate rises linearly to its peak and falls as a cosine to zero", "[train]") {
  CHECK(learning_rate_at(0, 100, 10, 1.0) == Approx(0.1));
  CHECK(learning_rate_at(9, 100, 10, 1.0) == Approx(1.0));
  CHECK(learning_rate_at(10, 100, 10, 1.0) == Approx(1.0));
  CHECK(learning_rate_at(55, 100, 10, 1.0) == Approx(0.5));
  CHECK(learning_rate_at(99, 100, 10, 1.0) < 0.001);
  CHECK(learning_rate_at(99, 100, 10, 1.0) > 0);
}

TEST_CASE("a step after the last one is on the rising half of the cosine", "[train]") {
  CHECK(learning_rate_at(110, 110, 10, 1.0) == Approx(0).margin(1e-12));
  CHECK(learning_rate_at(120, 110, 10, 1.0) == Approx(learning_rate_at(100, 110, 10, 1.0)));
}

TEST_CASE("without warm-up training starts at the peak", "[train]") { CHECK(learning_rate_at(0, 10, 0, 0.5) == 0.5); }
