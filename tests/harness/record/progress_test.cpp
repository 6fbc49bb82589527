#include "harness/record/progress.h"

#include <thread>

#include <catch2/catch.hpp>

using namespace roclip::bench;

TEST_CASE("a line of progress has rate and time left once a second has passed, and begins anew with something new",
          "[record][progress]") {
  PaceLine line;
  CHECK(line("storing images", 0, 100) == "storing images 0/100");
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const auto later = line("storing images", 50, 100);
  CHECK_THAT(later, Catch::StartsWith("storing images 50/100, 4") && Catch::EndsWith(" left"));
  CHECK(line("resizing images", 10, 20) == "resizing images 10/20");
}
