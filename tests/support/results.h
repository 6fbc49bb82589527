/// Results made by hand, for tests of what reads them.
#pragma once

#include <string>
#include <vector>

#include "harness/record/files.h"
#include "harness/record/result.h"
#include "harness/report/study.h"
#include "harness/report/summary.h"

namespace roclip::bench {

/// An entry of results.json: attack_success of `hits` in `trials`.
inline CellEntry entry(const std::string& attack, const std::string& defense, std::int64_t seed, std::int64_t hits,
                       std::int64_t trials = 16) {
  return {.id = attack + "-" + defense + "-s" + std::to_string(seed),
          .attack = attack,
          .defense = defense,
          .seed = seed,
          .status = Status::kOk,
          .metrics = {{"attack_success/1",
                       {.measures = Measures::kAttackSuccess,
                        .lower_is_better = true,
                        .headline = "success",
                        .counts = {{.name = "success", .hits = hits, .trials = trials}}}}},
          .wall_s = 1.5};
}

inline CellEntry not_ok(CellEntry cell, Status status, const std::string& reason) {
  cell.status = status;
  cell.reason = reason;
  cell.metrics.clear();
  return cell;
}

inline MatrixResult matrix_result_of(const std::vector<CellEntry>& cells, const std::string& name = "x") {
  return {.name = name, .metrics = {"attack_success/1"}, .cells = cells};
}

/// What reports say of these cells. @param folder where their records are, if there are any
inline Summary summary_of(const std::vector<CellEntry>& cells, const std::filesystem::path& folder = "no/such/folder",
                          const std::vector<std::string>& metrics = {"attack_success/1"}) {
  auto result = matrix_result_of(cells);
  result.metrics = metrics;
  return summarise(study_of(result, folder));
}

/// `seeds` cells of each: clip 15 of 16, roclip 2 of 16.
inline std::vector<CellEntry> seeds_of(std::int64_t seeds) {
  std::vector<CellEntry> cells;
  for (std::int64_t seed = 1; seed <= seeds; ++seed) {
    cells.push_back(entry("targeted", "clip", seed, 15));
    cells.push_back(entry("targeted", "roclip", seed, 2));
  }
  return cells;
}

/// What cells/<id>.json says of an entry whose items, from 0, came out so.
inline CellRecord record_of(const CellEntry& cell, const std::string& outcomes) {
  CellRecord record{.id = cell.id, .attack = cell.attack, .defense = cell.defense, .seed = cell.seed};
  record.effective = {{"defense", {{"plugin", cell.defense + "/1"}, {"params", Json::object()}}},
                      {"metrics", {{{"plugin", "attack_success/1"}}}},
                      {"seed", cell.seed}};
  record.environment = {{"git", "g"}, {"libtorch", "2"}, {"blas", "b"},
                        {"cpu", "c"}, {"device", "cpu"}, {"command", {"roclip-bench", "run"}}};
  record.capability = "poisoned_pairs";
  record.data_hash = "d";
  record.poison = {.manifest = "manifests/m.json", .hash = "p", .edits = 1, .share = 0.01};
  record.training = {.key = "k", .trained_by = cell.id, .parameters = 1, .weights_hash = "w"};
  record.metrics = cell.metrics;
  auto& count = record.metrics.at("attack_success/1").counts.at(0);
  count.outcomes = outcomes;
  for (std::size_t i = 0; i < outcomes.size(); ++i) count.items.push_back(static_cast<std::int64_t>(i));
  record.cost.wall_s = 1.5;
  return record;
}

/// Writes the cell below `folder` and names its file in the entry.
inline void store(const std::filesystem::path& folder, CellEntry& cell, const std::string& outcomes) {
  cell.file = "cells/" + cell.id + ".json";
  std::filesystem::create_directories(folder / "cells");
  write_json(folder / cell.file, to_json(record_of(cell, outcomes)));
}

}  // namespace roclip::bench
