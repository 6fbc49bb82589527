#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "roclip/rng.h"

using namespace roclip;

TEST_CASE("splitmix64 gives the published sequence for seed 1234567", "[rng]") {
  Rng rng(1234567);  // Vigna's reference implementation
  CHECK(rng.next() == 6457827717110365317ULL);
  CHECK(rng.next() == 3203168211198807973ULL);
  CHECK(rng.next() == 9817491932198370423ULL);
}

TEST_CASE("streams of different roles and seeds differ, and equal ones are equal", "[rng]") {
  CHECK(stream(1, role::kPoison) == stream(1, role::kPoison));
  CHECK(stream(1, role::kPoison) != stream(1, role::kInit));
  CHECK(stream(1, role::kPoison) != stream(2, role::kPoison));
}

TEST_CASE("a sample has different values in range, and all of them when it is as large as the range", "[rng]") {
  Rng rng(7);
  const auto some = rng.sample(100, 30);
  CHECK(std::set(some.begin(), some.end()).size() == 30);
  CHECK(std::ranges::all_of(some, [](auto v) { return v >= 0 && v < 100; }));
  auto all = rng.sample(50, 50);
  std::ranges::sort(all);
  for (std::int64_t i = 0; i < 50; ++i) CHECK(all[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a generator whose state is put back repeats itself", "[rng]") {
  Rng rng(3);
  rng.next();
  const auto state = rng.state();
  const auto first = torch::rand({8}, rng.generator());
  rng.set_state(state);
  CHECK(torch::equal(torch::rand({8}, rng.generator()), first));
}
