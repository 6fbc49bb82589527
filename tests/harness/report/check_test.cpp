#include <catch2/catch.hpp>

#include "harness/report/check.h"
#include "support/results.h"
#include "support/scratch_folder.h"

using namespace roclip::bench;
using Catch::Contains;

namespace {

Verdict judged(const std::vector<CellEntry>& cells, const std::string& gate, const std::filesystem::path& base = ".") {
  return check(study_of(matrix_result_of(cells), "no/such/folder"), read_gates(Json::parse("[" + gate + "]"), "gates"),
               base)
      .at(0);
}

std::string gate(const std::string& rest, const std::string& defense = "roclip") {
  return R"({"metric": "attack_success", "where": {"attack": "targeted", "defense": ")" + defense + "\"}, " + rest +
         "}";
}

}  // namespace

TEST_CASE("a gate passes or fails only when the whole interval says so", "[check]") {
  const auto cells = seeds_of(6);
  CHECK(judged(cells, gate(R"("at_most": 0.3)")).outcome == Outcome::kPass);
  CHECK(judged(cells, gate(R"("at_most": 0.01)")).outcome == Outcome::kFail);
  const auto open = judged(cells, gate(R"("at_most": 0.15)"));
  CHECK(open.outcome == Outcome::kInconclusive);
  REQUIRE(open.further_seeds);
  CHECK(*open.further_seeds > 0);
  CHECK_THAT(open.reason, Contains("12.5 %") && Contains("more seeds would decide"));
  CHECK(judged(cells, gate(R"("at_least": 0.8)", "clip")).outcome == Outcome::kPass);
}

TEST_CASE("as many more seeds as check names do decide, if they come out like those so far", "[check]") {
  const auto more = judged(seeds_of(3), gate(R"("at_most": 0.2)")).further_seeds;
  REQUIRE(more);
  CHECK(judged(seeds_of(3 + *more), gate(R"("at_most": 0.2)")).outcome == Outcome::kPass);
}

TEST_CASE("a broken defense fails its gate", "[check]") {
  auto cells = seeds_of(6);
  for (auto& cell : cells) {
    if (cell.defense == "roclip") cell = entry("targeted", "roclip", cell.seed, 15);
  }
  CHECK(judged(cells, gate(R"("at_most": 0.3)")).outcome == Outcome::kFail);
}

TEST_CASE("an attack that stopped working does not pass as a better defense", "[check]") {
  std::vector<CellEntry> cells;
  for (std::int64_t seed = 1; seed <= 6; ++seed) {
    cells.push_back(entry("targeted", "clip", seed, 1));
    cells.push_back(entry("targeted", "roclip", seed, 0));
  }
  const auto verdict = judged(cells, gate(R"("at_most": 0.3)"));
  CHECK(verdict.outcome == Outcome::kFail);
  CHECK_THAT(verdict.reason, Contains("the attack succeeds in only 6.2 % against clip"));
  CHECK(judged(cells, gate(R"("at_most": 0.3, "attack_works": 0)")).outcome == Outcome::kPass);
}

TEST_CASE("what is missing fails a gate, and the reason says what", "[check]") {
  const auto reason = [](const std::vector<CellEntry>& cells, const std::string& text) {
    const auto verdict = judged(cells, text);
    CHECK(verdict.outcome == Outcome::kFail);
    return verdict.reason;
  };
  auto cells = seeds_of(2);
  cells[3] = not_ok(cells[3], Status::kMissing, "");
  CHECK_THAT(reason(cells, gate(R"("at_most": 0.3)")), Contains("cell targeted-roclip-s2 is missing"));
  cells[3] = not_ok(cells[3], Status::kCrashed, "ended by signal 11");
  CHECK_THAT(reason(cells, gate(R"("at_most": 0.3)")), Contains("is crashed: ended by signal 11"));
  CHECK_THAT(reason(cells, gate(R"("at_most": 0.3)", "rclip")),
             Contains("no cell targeted x rclip; the results have the attacks targeted and the defenses clip, roclip"));
  CHECK_THAT(reason(cells, R"({"metric": "nope", "where": {"attack": "targeted", "defense": "clip"}, "at_most": 1})"),
             Contains("no metric nope"));
  CHECK_THAT(reason(cells, gate(R"("not_worse_than": {"baseline": "nowhere", "margin": 0.1})", "clip")),
             Contains("the baseline cannot be read") && Contains("is missing"));
}

TEST_CASE("a result may be worse than its baseline by the margin, and no more", "[check]") {
  const ScratchFolder folder;
  write_json(folder / "results.json", to_json(matrix_result_of(seeds_of(6))));
  const auto against = [&](std::int64_t hits, const char* margin) {
    std::vector<CellEntry> cells;
    for (std::int64_t seed = 1; seed <= 6; ++seed) {
      cells.push_back(entry("targeted", "clip", seed, 15));
      cells.push_back(entry("targeted", "roclip", seed, hits));
    }
    const auto text = gate(std::string(R"("not_worse_than": {"baseline": "results.json", "margin": )") + margin + "}");
    return judged(cells, text, folder.path()).outcome;
  };
  CHECK(against(2, "0.25") == Outcome::kPass);
  CHECK(against(0, "0.25") == Outcome::kPass);  // better is not worse
  CHECK(against(12, "0.25") == Outcome::kFail);
  CHECK(against(2, "0.05") == Outcome::kInconclusive);
}

TEST_CASE("a gate that may be looked at often needs more to be decided, and says by which correction", "[check]") {
  auto result = matrix_result_of(seeds_of(6));
  const auto outcome = [&](std::int64_t looks) {
    result.looks = looks;
    const auto text = "[" + gate(R"("at_most": 0.3)") + "]";
    return check(study_of(result, "."), read_gates(Json::parse(text), "gates"), ".").at(0);
  };
  CHECK(outcome(1).outcome == Outcome::kPass);
  CHECK(outcome(1).confidence == 0.95);
  CHECK_THAT(outcome(1).reason, !Contains("looks"));
  CHECK(outcome(20).outcome == Outcome::kInconclusive);
  CHECK(outcome(20).confidence == Approx(0.9975));
  CHECK_THAT(outcome(20).reason,
             Contains("over 6 seeds at 99.75 % confidence (95 % corrected for up to 20 looks, Bonferroni)"));
}

TEST_CASE("seeds are added to a baseline gate only if the baseline has them too", "[check]") {
  const ScratchFolder folder;
  const auto open_with = [&](const std::vector<CellEntry>& baseline) {
    write_json(folder / "results.json", to_json(matrix_result_of(baseline)));
    return judged(seeds_of(3), gate(R"("not_worse_than": {"baseline": "results.json", "margin": 0.05})"),
                  folder.path());
  };
  const auto alone = open_with(seeds_of(3));
  CHECK(alone.outcome == Outcome::kInconclusive);
  CHECK(!alone.next_seed);
  CHECK(!alone.further_seeds);
  CHECK_THAT(alone.reason, Contains("the baseline has no other seed to compare with"));
  auto more = seeds_of(3);
  more.push_back(entry("targeted", "roclip", 7, 2));
  CHECK(open_with(more).next_seed == 7);
  CHECK(judged(seeds_of(6), gate(R"("at_most": 0.15)")).next_seed == 7);
}

TEST_CASE("exit code and reports follow the verdicts", "[check]") {
  const auto cells = seeds_of(6);
  const auto pass = judged(cells, gate(R"("at_most": 0.3)")), fail = judged(cells, gate(R"("at_most": 0.01)")),
             open = judged(cells, gate(R"("at_most": 0.15)"));
  CHECK(exit_code({pass}) == 0);
  CHECK(exit_code({pass, open}) == 12);
  CHECK(exit_code({open, fail, pass}) == 11);
  CHECK_THAT(render_junit({pass, fail, open}, "a<b"),
             Contains("name=\"a&lt;b\" tests=\"3\" failures=\"1\" skipped=\"1\""));
  CHECK_THAT(render_markdown({fail}), Contains("**fail**"));
  CHECK(to_json({open}).at("exit_code") == 12);
}
