#include <catch2/catch.hpp>

#include "harness/report/compare.h"
#include "support/results.h"
#include "support/scratch_folder.h"

using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("comparing a study with itself finds nothing", "[compare]") {
  const auto study = study_of(matrix_result_of(seeds_of(2)), "no/such/folder");
  const auto comparison = compare(study, study);
  CHECK(comparison.at("changed").empty());
  CHECK(comparison.at("equal") == 2);
}

TEST_CASE("a comparison names values, configuration and cells that differ", "[compare]") {
  const ScratchFolder folder;
  const auto store = [&](const std::string& name, std::int64_t hits, const std::string& outcomes, int match_every) {
    auto cell = entry("targeted", "roclip", 1, hits, 10);
    cell["file"] = "cells/c.json";
    std::filesystem::create_directories(folder.path() / name / "cells");
    const Json count = {{"items", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, {"outcomes", outcomes}};
    const Json record = {{"effective", {{"defense", {{"match_every", match_every}}}, {"seed", 1}}},
                         {"metrics", {{"attack_success/1", {{"counts", {count}}}}}}};
    folder.write(name + "/cells/c.json", record.dump());
    folder.write(name + "/results.json", matrix_result_of({cell}, name).dump());
    return load_study({folder.path() / name});
  };
  const auto a = store("a", 8, "1111111100", 2);
  auto b = store("b", 1, "0000000010", 1);
  b.cells.push_back(entry("targeted", "clip", 1, 10));
  b.places[{"targeted", "clip", 1}] = 1;
  const auto comparison = compare(a, b);
  REQUIRE(comparison.at("changed").size() == 1);
  CHECK(comparison.at("changed")[0].at("test") == "McNemar");
  const auto text = render_comparison(comparison);
  CHECK_THAT(text, Contains("80.0 % ->  10.0 %") && Contains("/defense/match_every: 2 -> 1") &&
                       Contains("only in the second: targeted x clip, seed 1"));
}
