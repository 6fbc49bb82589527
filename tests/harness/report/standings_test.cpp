#include <functional>

#include <catch2/catch.hpp>

#include "harness/report/html.h"
#include "harness/report/render.h"
#include "support/results.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

/// Writes the cell below `folder` as `change` leaves its record.
void store_changed(const std::filesystem::path& folder, CellEntry& cell,
                   const std::function<void(CellRecord&)>& change) {
  cell.file = "cells/" + cell.id + ".json";
  auto record = record_of(cell, "");
  for (auto& [id, metric] : record.metrics) {
    for (auto& count : metric.counts) {
      for (std::int64_t i = 0; i < count.trials; ++i) {
        count.items.push_back(i);
        count.outcomes += i < count.hits ? '1' : '0';
      }
    }
  }
  change(record);
  std::filesystem::create_directories(folder / "cells");
  write_json(folder / cell.file, to_json(record));
  cell = entry_of(record);
}

void add_value(CellEntry& cell, const std::string& metric, Measures measures, double value) {
  cell.metrics[metric] = {.measures = measures, .headline = "v", .values = {{.name = "v", .value = value}}};
}

/// Attack success and clean accuracy in 16ths.
CellEntry trade(const std::string& attack, const std::string& defense, std::int64_t success, std::int64_t accuracy) {
  auto cell = entry(attack, defense, 1, success);
  cell.metrics["accuracy/1"] = {.measures = Measures::kCleanAccuracy,
                                .headline = "top1",
                                .counts = {{.name = "top1", .hits = accuracy, .trials = 16}}};
  return cell;
}

std::size_t occurrences(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("defenses are ranked over the attacks that all of them met, and equal ones share a rank", "[report]") {
  std::vector<CellEntry> cells;
  for (std::int64_t seed = 1; seed <= 2; ++seed) {
    for (const auto& [attack, clip, x, y] : {std::tuple("a", 16, 4, 4), {"b", 16, 8, 2}, {"c", 1, 2, 0}}) {
      cells.push_back(entry(attack, "clip", seed, clip));
      cells.push_back(entry(attack, "x", seed, x));
      const bool lacks = attack == std::string("c");
      cells.push_back(lacks ? not_ok(entry(attack, "y", seed, 0), Status::kFailed, "no") : entry(attack, "y", seed, y));
    }
    cells.push_back(not_ok(entry("a", "broken", seed, 0), Status::kSkipped, "needs clean pairs"));
  }
  const auto summary = summary_of(cells);
  REQUIRE(summary.compared.size() == 2);
  CHECK(summary.compared[1].row == 1);
  CHECK(summary.compared[1].seeds == std::vector<std::int64_t>{1, 2});
  REQUIRE(summary.standings.size() == 4);
  const auto &y = summary.standings[0], &x = summary.standings[1], &clip = summary.standings[2];
  CHECK(y.defense == "y");
  CHECK(y.rank == Approx((1.5 + 1) / 2));
  CHECK(y.success == Approx(3.0 / 16));
  CHECK(x.rank == Approx((1.5 + 2) / 2));
  CHECK(clip.rank == 3);
  CHECK(x.rank_interval == Interval{1, 3});  // t of 1.5 and 2 reaches further than the ranks do
  CHECK(clip.rank_interval == Interval{3, 3});
  CHECK(summary.standings[3].rank == 0);
}

TEST_CASE("defenses that met an attack at other seeds are compared at those that all of them share", "[report]") {
  const auto summary = summary_of({entry("a", "clip", 1, 16), entry("a", "clip", 2, 8), entry("a", "x", 2, 4),
                                   entry("a", "x", 3, 0), entry("b", "clip", 1, 16), entry("b", "x", 2, 0)});
  REQUIRE(summary.compared.size() == 1);
  CHECK(summary.compared[0].seeds == std::vector<std::int64_t>{2});
  CHECK(summary.standings[0].defense == "x");
  CHECK(summary.standings[0].success == Approx(4.0 / 16));
  CHECK(summary.standings[1].success == Approx(8.0 / 16));
}

TEST_CASE("under a single attack the interval of a rank is over seeds", "[report]") {
  std::vector<CellEntry> cells;
  for (std::int64_t seed = 1; seed <= 8; ++seed) {
    cells.push_back(entry("a", "clip", seed, seed == 1 ? 1 : 16));
    cells.push_back(entry("a", "x", seed, 2));
  }
  const auto x = summary_of(cells).standings[0];
  const std::vector<double> ranks = {2, 1, 1, 1, 1, 1, 1, 1};
  CHECK(x.rank == Approx(9.0 / 8));
  CHECK(x.rank_interval->low == 1);
  CHECK(x.rank_interval->high == Approx(t_interval(ranks).high));
}

TEST_CASE("the cost of a defense counts training that another cell did", "[report]") {
  const ScratchFolder folder;
  auto clip = entry("a", "clip", 1, 16), tuned = entry("a", "tuned", 1, 2);
  store_changed(folder.path(), clip, [](CellRecord& record) { record.cost.phase_s["train"] = 10; });
  store_changed(folder.path(), tuned, [](CellRecord& record) {
    record.cost.phase_s["train"] = 25;
    record.capability = "clean_subset";
    record.training.stages = {{"train", 1, 1, 10, "another", "plain"}, {"tune", 1, 1, 15, record.id, "after_training"}};
  });
  const auto study = study_of(matrix_result_of({clip, tuned}), folder.path());
  const auto standing = summarise(study).standings[0];
  CHECK(standing.defense == "tuned");
  CHECK(standing.train_s == 25);
  const auto page = render_html(study, summarise(study));
  CHECK_THAT(page, Contains("<td>25.0</td><td>2.50</td>"));
  CHECK_THAT(page, Contains("<tr class=\"clean_subset after_training\"><th scope=\"row\">tuned</th>"));
}

TEST_CASE("backdoored models are told from clean ones by one score of each, and other attacks are left out",
          "[report]") {
  const ScratchFolder folder;
  std::vector<CellEntry> cells;
  std::int64_t seed = 0;
  for (const auto& [goal, score] :
       {std::pair("triggered_images", 3), {"triggered_images", 1}, {"none", 1}, {"none", 0}, {"target_images", 9}}) {
    auto& cell = cells.emplace_back(entry("a", "clip", ++seed, 16));
    add_value(cell, "scan/1", Measures::kModelDetection, score);
    store_changed(folder.path(), cell, [&, kind = goal](CellRecord& record) { record.poison.goal = kind; });
  }
  CHECK_THAT(render_text(summary_of(cells, folder.path(), {"scan/1"})),
             Contains("AUROC 0.875 [0.500, 1.000]") && Contains("2 backdoored against 2 clean models"));
  cells.erase(cells.begin() + 2, cells.begin() + 4);
  CHECK_THAT(render_text(summary_of(cells, folder.path(), {"scan/1"})), !Contains("AUROC"));
}

TEST_CASE("the front of trade-offs holds the defenses that no other beats, controls apart", "[report]") {
  const ScratchFolder folder;
  // Beaten: worse (by both), slow (as good in one). The oracle would beat all of them.
  std::vector<CellEntry> cells = {trade("a", "clip", 16, 8), trade("a", "strong", 2, 4), trade("a", "worse", 8, 2),
                                  trade("a", "slow", 16, 4), trade("a", "oracle", 0, 16)};
  for (auto& cell : cells) {
    store_changed(folder.path(), cell, [](CellRecord& record) {
      if (record.defense == "oracle") record.capability = "knows_poisons";
    });
  }
  const auto charts = trade_offs(summary_of(cells, folder.path(), {"attack_success/1", "accuracy/1"}));
  CHECK(occurrences(charts, "<circle class=\"s0\"") == 2);
  CHECK(occurrences(charts, "<circle class=\"s7\"") == 2);
  CHECK_THAT(charts, !Contains("oracle") && Contains(">strong</text>") && Contains("strong: 12.5 %, 25.0 %"));
  // From clip at the right, 50 %, up from the strong one: x of 25 and of 50 %, y of 12.5 and of 100 %.
  CHECK_THAT(charts, Contains("d=\"M168.5 194.0L168.5 12.0L285.0 12.0\""));
}

TEST_CASE("a metric whose details have roc gets a chart, a line a seed, whatever its name", "[report]") {
  const ScratchFolder folder;
  std::vector<CellEntry> cells;
  for (std::int64_t seed = 1; seed <= 2; ++seed) {
    auto& cell = cells.emplace_back(entry("a", "filter", seed, 16));
    add_value(cell, "finds/1", Measures::kDetection, 0.75);
    store_changed(folder.path(), cell, [](CellRecord& record) {
      record.metrics.at("finds/1").details = {{"roc", {{0, 0}, {0, 0.5}, {1, 1}}}};
    });
  }
  auto result = matrix_result_of(cells);
  result.metrics = {"finds/1"};
  auto study = study_of(result, folder.path());
  const auto charts = detection(study, summarise(study));
  CHECK(occurrences(charts, "<figure>") == 1);
  CHECK(occurrences(charts, "d=\"M52.0 220.0L52.0 116.0L285.0 12.0\"") == 2);
  CHECK(occurrences(charts, ">filter 0.75</text>") == 1);

  store_changed(folder.path(), cells[0], [](CellRecord& record) {
    record.metrics.at("finds/1").details = {{"roc", {{0, 0.5, 1}}}};
  });
  study = study_of(result, folder.path());
  CHECK_THROWS_WITH(detection(study, summarise(study)), Contains("details/roc of finds/1"));
}

TEST_CASE("studies with other numbers of pairs give a chart of an attack, a line a defense", "[report]") {
  const ScratchFolder folder;
  std::vector<std::filesystem::path> studies;
  for (const std::int64_t pairs : {10000, 100000, 1000000}) {
    const auto name = std::to_string(pairs);
    std::vector<CellEntry> cells;
    for (const auto& defense : {"clip", "roclip"}) {
      auto& cell = cells.emplace_back(entry("badnets", defense, 1, defense[0] == 'c' ? 16 : 4));
      cell.id += name;
      store_changed(folder / name, cell, [pairs](CellRecord& record) {
        record.data = {{"pairs", pairs}};
        record.effective["data"] = {{"pairs", pairs}};
      });
    }
    write_json(folder / name / "results.json", to_json(matrix_result_of(cells, name)));
    studies.push_back(folder / name);
    const auto study = load_study(studies);
    const auto charts = scaling(study, summarise(study));
    if (studies.size() == 1) CHECK(charts.empty());
    if (studies.size() < 3) continue;
    CHECK(occurrences(charts, "<figure>") == 1);
    CHECK_THAT(charts, Contains(">badnets: attack success<") && Contains(">roclip</text>"));
    CHECK_THAT(charts, Contains("d=\"M52.0 12.0L168.5 12.0L285.0 12.0\""));  // a tenth of a million is in the middle
  }
}

TEST_CASE("cells of a second study that have not run yet are named like those that have", "[report]") {
  const ScratchFolder folder;
  const auto study_in = [&](const std::string& name, double rate, std::size_t done) {
    std::vector<CellEntry> cells;
    for (const std::int64_t seed : {1, 2}) {
      auto& cell = cells.emplace_back(entry("badnets", "clip", seed, 16));
      cell.id += name;
      if (cells.size() > done) {
        cell = not_ok(cell, Status::kMissing, "");
        continue;
      }
      store_changed(folder / name, cell, [rate](CellRecord& record) {
        record.effective["attack"] = {{"plugin", "badnets/2"}, {"params", {{"rate", rate}}}};
      });
    }
    write_json(folder / name / "results.json", to_json(matrix_result_of(cells, name)));
    return folder / name;
  };
  const auto study = load_study({study_in("a", 0.03, 2), study_in("b", 0.01, 1)});
  CHECK(study.attacks == std::vector<std::string>{"badnets", "badnets [b]"});
  CHECK(study.defenses == std::vector<std::string>{"clip"});
}

TEST_CASE("one label for two attacks of two studies is told apart, and a cell with other metrics is the same cell",
          "[report]") {
  const ScratchFolder folder;
  const auto study_in = [&](const std::string& name, const std::string& metric, double rate,
                            const std::vector<std::string>& defenses) {
    std::vector<CellEntry> cells;
    for (const auto& defense : defenses) {
      auto& cell = cells.emplace_back(entry("badnets", defense, 1, 16));
      cell.id += name;
      add_value(cell, metric, Measures::kOther, 1);
      store_changed(folder / name, cell, [rate](CellRecord& record) {
        record.effective["attack"] = {{"plugin", "badnets/2"}, {"params", {{"rate", rate}}}};
      });
    }
    auto result = matrix_result_of(cells, name);
    result.metrics = {"attack_success/1", metric};
    write_json(folder / name / "results.json", to_json(result));
    return folder / name;
  };
  const auto a = study_in("a", "one/1", 0.03, {"clip", "roclip"}), b = study_in("b", "two/1", 0.01, {"clip", "par"}),
             c = study_in("c", "two/1", 0.03, {"clip"});
  const auto study = load_study({a, b, c});
  CHECK(study.attacks == std::vector<std::string>{"badnets", "badnets [b]"});
  CHECK(study.defenses == std::vector<std::string>{"clip", "roclip", "par"});
  REQUIRE(study.cells.size() == 4);
  CHECK(study.cells[0].metrics.contains("one/1"));
  CHECK(study.cells[0].metrics.contains("two/1"));
}
