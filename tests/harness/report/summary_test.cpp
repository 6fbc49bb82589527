#include <catch2/catch.hpp>

#include "harness/report/significance.h"
#include "harness/report/summary.h"
#include "support/results.h"
#include "support/scratch_folder.h"

using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("at one seed defenses are compared over the items that both were tried on", "[report]") {
  const ScratchFolder folder;
  auto clip = entry("t", "clip", 1, 8, 10), roclip = entry("t", "roclip", 1, 1, 10);
  store(folder.path(), clip, "1111111100");
  store(folder.path(), roclip, "0000000010");
  const auto row = summary_of({clip, roclip}, folder.path()).tables[0].rows[0];
  REQUIRE(row.entries[1].against_reference);
  CHECK(row.entries[1].against_reference->test == "McNemar");
  CHECK(row.entries[1].against_reference->p == Approx(sign_test(8, 1)));
  CHECK_FALSE(row.entries[0].against_reference);

  auto others = read_cell(folder / roclip.file);
  others.metrics.at("attack_success/1").counts[0].items[9] = 10;
  write_json(folder / roclip.file, to_json(others));
  CHECK_FALSE(summary_of({clip, roclip}, folder.path()).tables[0].rows[0].entries[1].against_reference);
}

TEST_CASE("cells of a CPU and of a GPU are told apart and never paired", "[report][gpu]") {
  const ScratchFolder folder;
  auto clip = entry("t", "clip", 1, 8, 10), roclip = entry("t", "roclip", 1, 1, 10);
  store(folder.path(), clip, "1111111100");
  store(folder.path(), roclip, "0000000010");
  const auto on = [&](const CellEntry& cell, const char* device) {
    auto record = read_cell(folder / cell.file);
    record.environment["device"] = device;
    write_json(folder / cell.file, to_json(record));
  };
  on(clip, "cuda:0");
  on(roclip, "cuda:1");
  CHECK(summary_of({clip, roclip}, folder.path()).tables[0].rows[0].entries[1].against_reference);
  CHECK(summary_of({clip, roclip}, folder.path()).correction.empty());
  on(clip, "cpu");
  const auto mixed = summary_of({clip, roclip}, folder.path());
  CHECK_FALSE(mixed.tables[0].rows[0].entries[1].against_reference);
  CHECK(mixed.correction == "Cells ran on cpu and cuda: no paired test compares one with the other");
}

TEST_CASE("over seeds each seed is one value, however many items it has", "[report]") {
  const auto entry_of = [](std::int64_t seeds) { return summary_of(seeds_of(seeds)).tables[0].rows[0].entries[1]; };
  CHECK(entry_of(6).against_reference->p == Approx(2.0 / 64));
  CHECK(entry_of(6).against_reference->significant());
  CHECK_FALSE(entry_of(5).against_reference->significant());
  CHECK(entry_of(6).against_reference->difference == Approx(-13.0 / 16));
}

TEST_CASE("comparisons are corrected for all of their table", "[report]") {
  auto cells = seeds_of(6);
  for (std::int64_t seed = 1; seed <= 6; ++seed) cells.push_back(entry("targeted", "other", seed, 3));
  const auto table = summary_of(cells).tables[0];
  CHECK(table.comparisons == 2);
  CHECK(table.rows[0].entries[1].against_reference->p_holm == Approx(4.0 / 64));
  CHECK_THAT(detectable(table, 6),
             Contains("statistical power: 6 seeds") && Contains("2 comparisons need at least 7 seeds"));
}

TEST_CASE("a cell that several folders hold is taken once, and one name for two configurations is told apart",
          "[report]") {
  const ScratchFolder folder;
  for (const char* name : {"a", "b"}) std::filesystem::create_directories(folder.path() / name);
  auto other = entry("t", "clip", 1, 4);
  other.id = "another";
  write_json(folder / "a/results.json",
             to_json(matrix_result_of({entry("t", "clip", 1, 16), entry("t", "roclip", 1, 2)}, "a")));
  write_json(folder / "b/results.json", to_json(matrix_result_of({entry("t", "roclip", 1, 2), other}, "b")));
  const auto study = load_study({folder.path() / "a", folder.path() / "b"});
  CHECK(study.cells.size() == 3);
  CHECK(study.defenses == std::vector<std::string>{"clip", "roclip", "clip [b]"});
  CHECK_THROWS_WITH(load_study({folder.path() / "c"}), Contains("is missing"));
}

TEST_CASE("a summary as JSON has no NaN and names what is missing", "[report]") {
  const auto json =
      to_json(summary_of({entry("t", "clip", 1, 16), not_ok(entry("t", "roclip", 1, 0), Status::kMissing, "")}));
  CHECK(json.at("missing") == 1);
  const auto& entry_json = json.at("tables")[0].at("rows")[0].at("entries")[1];
  CHECK(entry_json.at("mean").is_null());
  CHECK(entry_json.at("status") == "missing");
}

TEST_CASE("hits in results.json that contradict the stored outcomes are an error that names both files", "[report]") {
  const ScratchFolder folder;
  auto cell = entry("t", "clip", 1, 8, 10);
  store(folder.path(), cell, "1111111100");
  write_json(folder / "results.json", to_json(matrix_result_of({cell})));
  CHECK(load_study({folder.path()}).cells.at(0).record != nullptr);
  cell.metrics.at("attack_success/1").counts[0].hits = 4;
  write_json(folder / "results.json", to_json(matrix_result_of({cell})));
  CHECK_THROWS_WITH(load_study({folder.path()}), Contains("results.json: cell t-clip-s1: metrics/attack_success/1") &&
                                                     Contains("as in ") && Contains("cells/t-clip-s1.json"));
}
