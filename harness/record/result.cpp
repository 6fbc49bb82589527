#include "harness/record/result.h"

#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// Missing in results of old programs.
constexpr std::pair<const char*, std::string CellEntry::*> kTraits[] = {
    {"capability", &CellEntry::capability}, {"acts", &CellEntry::acts}, {"goal", &CellEntry::goal}};

CellEntry read_entry(const CheckedJson& json) {
  auto statuses = status_names();
  statuses.emplace_back(to_string(Status::kMissing));
  CellEntry entry{.id = json.at("id").text(),
                  .attack = json.at("attack").text(),
                  .defense = json.at("defense").text(),
                  .seed = json.at("seed").integer(0),
                  .status = static_cast<Status>(json.at("status").one_of(statuses)),
                  .reason = json.at("reason").text_or_null()};
  if (!json.at("file").is_null()) entry.file = json.at("file").path_below();
  for (const auto& [id, metric] : json.at("metrics").members()) entry.metrics[id] = read_metric_summary(metric);
  if (!json.get("wall_s").is_null()) entry.wall_s = json.at("wall_s").number(0);
  if (!json.get("train_s").is_null()) entry.train_s = json.at("train_s").number(0);
  for (const auto& [key, trait] : kTraits) entry.*trait = json.get(key).text_or_null();
  return entry;
}

}  // namespace

void OutputFolder::create() const {
  for (const char* folder : {"cells", "logs"}) {
    std::error_code error;
    fs::create_directories(root / folder, error);
    if (error) {
      throw Error(ErrorKind::kData, (root / folder).string() + ": cannot be made: " + error.message() +
                                        "; choose another folder with --out");
    }
  }
  const auto probe = root / ".writable";
  write_file(probe, "");
  fs::remove(probe);
}

void OutputFolder::remove_leftovers() const {
  std::error_code ignored;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::recursive_directory_iterator(root, ignored)) {
    if (is_temporary(entry.path())) leftovers.push_back(entry.path());
  }
  for (const auto& file : leftovers) fs::remove(file, ignored);
}

std::optional<CellRecord> stored_result(const OutputFolder& out, const Cell& cell, const std::string& data_hash) {
  const auto file = out.cell_file(cell.id);
  if (!fs::exists(file)) return std::nullopt;
  try {
    CellRecord record = read_cell(file);
    const bool stale = record.ok() && !data_hash.empty() && record.data_hash != data_hash;
    if (config_hash(record.effective) != config_hash(cell.config) || stale) return std::nullopt;
    return record;
  } catch (const Error&) {
    return std::nullopt;  // damaged by something outside this program: run the cell again
  }
}

CellRecord read_cell(const fs::path& file) {
  const Json json = read_json(file);
  return read_cell_record(CheckedJson(json, file.string(),
                                      "is it a cell of `roclip-bench run`, out/cells/<id>.json? If so, delete it and "
                                      "run its matrix file again: cells that are done are kept"));
}

CellEntry entry_of(const CellRecord& record) {
  CellEntry entry{.id = record.id,
                  .file = record.status == Status::kMissing ? "" : "cells/" + record.id + ".json",
                  .attack = record.attack,
                  .defense = record.defense,
                  .seed = record.seed,
                  .status = record.status,
                  .reason = record.reason,
                  .metrics = record.metrics,
                  .capability = record.capability,
                  .goal = record.poison.goal};
  if (record.ok()) entry.wall_s = record.cost.wall_s;
  if (record.cost.phase_s.contains("train")) entry.train_s = record.cost.phase_s.at("train");
  if (!record.training.stages.empty()) entry.acts = record.training.stages.back().role;
  for (auto& [id, metric] : entry.metrics) {
    metric.details = nullptr;
    for (auto& count : metric.counts) count.items.clear(), count.outcomes.clear();
  }
  return entry;
}

Json to_json(const CellEntry& entry) {
  Json metrics = Json::object();
  for (const auto& [id, metric] : entry.metrics) metrics[id] = summary_json(metric);
  Json json = {{"id", entry.id},
               {"file", entry.file.empty() ? Json() : Json(entry.file)},
               {"attack", entry.attack},
               {"defense", entry.defense},
               {"seed", entry.seed},
               {"status", to_string(entry.status)},
               {"reason", entry.reason.empty() ? Json() : Json(entry.reason)},
               {"metrics", std::move(metrics)},
               {"wall_s", entry.wall_s ? Json(*entry.wall_s) : Json()},
               {"train_s", entry.train_s ? Json(*entry.train_s) : Json()}};
  for (const auto& [key, trait] : kTraits) json[key] = (entry.*trait).empty() ? Json() : Json(entry.*trait);
  return json;
}

Json to_json(const MatrixResult& result) {
  Json cells = Json::array();
  for (const auto& cell : result.cells) cells.push_back(to_json(cell));
  return {{"schema_version", kResultSchemaVersion},
          {"name", result.name},
          {"metrics", result.metrics},
          {"gates", result.gates},
          {"looks", result.looks},
          {"cells", std::move(cells)}};
}

MatrixResult read_matrix_result(const fs::path& file) {
  const Json document = read_json(file);
  const CheckedJson json(document, file.string(),
                         "is it a results.json of `roclip-bench run`? If so, run its matrix file again: cells that "
                         "are done are kept");
  json.check_version(kResultSchemaVersion);
  MatrixResult result{.name = json.at("name").text()};
  for (const auto& metric : json.at("metrics").items()) result.metrics.push_back(metric.text());
  if (!json.get("gates").is_null()) {
    json.at("gates").items();
    result.gates = json.at("gates").json();
  }
  if (!json.get("looks").is_null()) result.looks = json.at("looks").integer(1);
  for (const auto& cell : json.at("cells").items()) result.cells.push_back(read_entry(cell));
  return result;
}

}  // namespace roclip::bench
