#include <catch2/catch.hpp>

#include "harness/run/timings.h"
#include "support/scratch_folder.h"

using namespace roclip::bench;

namespace {

Cell cell(const std::string& defense, std::int64_t seed) {
  Cell result;
  result.id = defense + std::to_string(seed);
  result.seed = seed;
  result.config = {{"data", "d"},        {"model", "m"},     {"training", "t"},
                   {"defense", defense}, {"metrics", {"z"}}, {"seed", seed}};
  return result;
}

}  // namespace

TEST_CASE("timings are remembered by what decides them, for other seeds and other runs", "[run]") {
  const ScratchFolder folder;
  {
    Timings timings;
    CHECK_FALSE(timings.expected_s(cell("clip", 1), "cpu"));
    timings.add(cell("clip", 1), "cpu", 12);
    timings.save();
  }
  const Timings timings;
  CHECK(timings.expected_s(cell("clip", 2), "cpu") == 12);
  CHECK_FALSE(timings.expected_s(cell("clip", 2), "cuda:0"));
  CHECK_FALSE(timings.expected_s(cell("roclip", 1), "cpu"));
}

TEST_CASE("a damaged timings file counts as empty", "[run]") {
  const ScratchFolder folder;
  folder.write("cache/timings.json", "{\"a\": \"b\"}");
  CHECK_FALSE(Timings().expected_s(cell("clip", 1), "cpu"));
}

TEST_CASE("cells are started longest first, unknown ones before all", "[run]") {
  const ScratchFolder folder;
  Timings timings;
  const Cell quick = cell("quick", 1), slow = cell("slow", 1), unknown = cell("unknown", 1), slow2 = cell("slow", 2);
  timings.add(quick, "cpu", 1);
  timings.add(slow, "cpu", 9);
  std::vector<const Cell*> cells = {&quick, &slow, &unknown, &slow2};
  sort_longest_first(cells, timings, "cpu");
  CHECK(cells == std::vector<const Cell*>{&unknown, &slow, &slow2, &quick});
}
