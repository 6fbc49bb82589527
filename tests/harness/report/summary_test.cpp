#include <catch2/catch.hpp>

#include "harness/report/significance.h"
#include "harness/report/summary.h"
#include "support/results.h"
#include "support/scratch_folder.h"

using namespace roclip::bench;
using Catch::Contains;

namespace {

Summary of(const std::vector<Json>& cells, const std::filesystem::path& folder = "no/such/folder") {
  return summarise(study_of(matrix_result_of(cells), folder));
}

Json stored(const std::string& outcomes) {
  Json items = Json::array();
  for (std::size_t i = 0; i < outcomes.size(); ++i) items.push_back(i);
  return {{"metrics", {{"attack_success/1", {{"counts", {{{"items", items}, {"outcomes", outcomes}}}}}}}}};
}

}  // namespace

TEST_CASE("at one seed defenses are compared over the items that both were tried on", "[report]") {
  const ScratchFolder folder;
  std::filesystem::create_directories(folder.path() / "cells");
  auto clip = entry("t", "clip", 1, 8, 10), roclip = entry("t", "roclip", 1, 1, 10);
  clip["file"] = "cells/a.json";
  roclip["file"] = "cells/b.json";
  folder.write("cells/a.json", stored("1111111100").dump());
  folder.write("cells/b.json", stored("0000000010").dump());
  const auto row = of({clip, roclip}, folder.path()).tables[0].rows[0];
  REQUIRE(row.entries[1].against_reference);
  CHECK(row.entries[1].against_reference->test == "McNemar");
  CHECK(row.entries[1].against_reference->p == Approx(sign_test(8, 1)));
  CHECK_FALSE(row.entries[0].against_reference);

  folder.write("cells/b.json", stored("000000001").dump());  // other items
  CHECK_FALSE(of({clip, roclip}, folder.path()).tables[0].rows[0].entries[1].against_reference);
}

TEST_CASE("over seeds each seed is one value, however many items it has", "[report]") {
  const auto entry_of = [](std::int64_t seeds) { return of(seeds_of(seeds)).tables[0].rows[0].entries[1]; };
  CHECK(entry_of(6).against_reference->p == Approx(2.0 / 64));
  CHECK(entry_of(6).against_reference->significant());
  CHECK_FALSE(entry_of(5).against_reference->significant());
  CHECK(entry_of(6).against_reference->difference == Approx(-13.0 / 16));
}

TEST_CASE("comparisons are corrected for all of their table", "[report]") {
  auto cells = seeds_of(6);
  for (std::int64_t seed = 1; seed <= 6; ++seed) cells.push_back(entry("targeted", "other", seed, 3));
  const auto table = of(cells).tables[0];
  CHECK(table.comparisons == 2);
  CHECK(table.rows[0].entries[1].against_reference->p_holm == Approx(4.0 / 64));
  CHECK_THAT(detectable(table, 6), Contains("2 comparisons need 7 seeds"));
}

TEST_CASE("a cell that several folders hold is taken once, and one name for two configurations is told apart",
          "[report]") {
  const ScratchFolder folder;
  for (const char* name : {"a", "b"}) std::filesystem::create_directories(folder.path() / name);
  auto other = entry("t", "clip", 1, 4);
  other["id"] = "another";
  folder.write("a/results.json", matrix_result_of({entry("t", "clip", 1, 16), entry("t", "roclip", 1, 2)}, "a").dump());
  folder.write("b/results.json", matrix_result_of({entry("t", "roclip", 1, 2), other}, "b").dump());
  const auto study = load_study({folder.path() / "a", folder.path() / "b"});
  CHECK(study.cells.size() == 3);
  CHECK(study.defenses == std::vector<std::string>{"clip", "roclip", "clip [b]"});
  CHECK_THROWS_WITH(load_study({folder.path() / "c"}), Contains("is missing"));
  folder.write("d.json", R"({"name": "d", "metrics": [], "cells": [{}]})");
  CHECK_THROWS_WITH(load_study({folder.path() / "d.json"}), Contains("d.json: is damaged, or of another version"));
  folder.write("c.json", "[]");
  CHECK_THROWS_WITH(load_study({folder.path() / "c.json"}), Contains("expected a results.json"));
}

TEST_CASE("a summary as JSON has no NaN and names what is missing", "[report]") {
  const auto json = to_json(of({entry("t", "clip", 1, 16), not_ok(entry("t", "roclip", 1, 0), "missing", "")}));
  CHECK(json.at("missing") == 1);
  const auto& entry_json = json.at("tables")[0].at("rows")[0].at("entries")[1];
  CHECK(entry_json.at("mean").is_null());
  CHECK(entry_json.at("status") == "missing");
}
