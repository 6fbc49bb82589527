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
  const auto stored = [&](const std::string& name, std::int64_t hits, const std::string& outcomes, int match_every) {
    auto cell = entry("targeted", "roclip", 1, hits, 10);
    store(folder / name, cell, outcomes);
    auto record = read_cell(folder / name / cell.file);
    record.effective["defense"]["params"]["match_every"] = match_every;
    write_json(folder / name / cell.file, to_json(record));
    write_json(folder / name / "results.json", to_json(matrix_result_of({cell}, name)));
    return load_study({folder.path() / name});
  };
  const auto a = stored("a", 8, "1111111100", 2);
  auto b = stored("b", 1, "0000000010", 1);
  b.cells.push_back({entry("targeted", "clip", 1, 10), {}, nullptr});
  b.places[{"targeted", "clip", 1}] = 1;
  const auto comparison = compare(a, b);
  REQUIRE(comparison.at("changed").size() == 1);
  CHECK(comparison.at("changed")[0].at("test") == "McNemar");
  const auto text = render_comparison(comparison);
  CHECK_THAT(text, Contains("80.0 % ->  10.0 %") && Contains("/defense/params/match_every: 2 -> 1") &&
                       Contains("only in the second: targeted x clip, seed 1"));
}
