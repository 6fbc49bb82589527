#include "harness/record/result.h"

#include <algorithm>
#include <array>
#include <map>

#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::pair<Status, const char*>, 7> kStatuses = {{{Status::kOk, "ok"},
                                                                      {Status::kFailed, "failed"},
                                                                      {Status::kCrashed, "crashed"},
                                                                      {Status::kTimeout, "timeout"},
                                                                      {Status::kOutOfMemory, "oom"},
                                                                      {Status::kDiverged, "diverged"},
                                                                      {Status::kSkipped, "skipped"}}};

/// What the matrix result repeats of a metric: counts without items.
Json summary(const Json& metrics) {
  Json result = Json::object();
  for (const auto& [id, metric] : metrics.items()) {
    Json counts = Json::object();
    for (const auto& count : metric.at("counts")) {
      counts[count.at("name").get<std::string>()] = {{"hits", count.at("hits")},
                                                     {"trials", count.at("trials")},
                                                     {"value", count.at("value")},
                                                     {"low", count.at("low")},
                                                     {"high", count.at("high")}};
    }
    result[id] = {{"headline", metric.at("counts").empty() ? Json() : metric.at("counts")[0].at("name")},
                  {"counts", std::move(counts)},
                  {"better", metric.at("better")},
                  {"not_applicable", metric.at("not_applicable")}};
  }
  return result;
}

/// Mean of each metric's headline over the seeds of one attack and defense; seeds are never pooled as items.
Json aggregates(const Json& cells) {
  struct Group {
    Json attack, defense, seeds = Json::array();
    std::map<std::string, std::vector<double>> values = {};
  };
  std::vector<Group> groups;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  for (const auto& cell : cells) {
    if (cell.at("status") != "ok") continue;
    const auto [place, added] = places.try_emplace({cell.at("attack"), cell.at("defense")}, groups.size());
    if (added) groups.push_back({.attack = cell.at("attack"), .defense = cell.at("defense")});
    auto* group = &groups[place->second];
    group->seeds.push_back(cell.at("seed"));
    for (const auto& [id, metric] : cell.at("metrics").items()) {
      if (metric.at("headline").is_null()) continue;
      const auto& value = metric.at("counts").at(metric.at("headline").get<std::string>()).at("value");
      if (!value.is_null()) group->values[id].push_back(value.get<double>());
    }
  }
  Json result = Json::array();
  for (const auto& group : groups) {
    Json means = Json::object();
    for (const auto& [id, values] : group.values) {
      double sum = 0;
      for (const double value : values) sum += value;
      means[id] = {{"mean", sum / static_cast<double>(values.size())}, {"values", values}};
    }
    result.push_back(
        {{"attack", group.attack}, {"defense", group.defense}, {"seeds", group.seeds}, {"metrics", means}});
  }
  return result;
}

}  // namespace

std::string_view to_string(Status status) {
  return std::ranges::find(kStatuses, status, &std::pair<Status, const char*>::first)->second;
}

std::vector<std::string> status_names() {
  std::vector<std::string> names;
  for (const auto& [status, name] : kStatuses) names.emplace_back(name);
  return names;
}

Json cell_record(const Cell& cell, Status status, const std::string& reason) {
  return {{"schema_version", kResultSchemaVersion},
          {"id", cell.id},
          {"attack", cell.attack},
          {"defense", cell.defense},
          {"seed", cell.seed},
          {"status", to_string(status)},
          {"reason", reason.empty() ? Json() : Json(reason)},
          {"requested", cell.requested},
          {"effective", cell.config}};
}

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

Json stored_result(const OutputFolder& out, const Cell& cell, const std::string& data_hash) {
  const auto file = out.cell_file(cell.id);
  if (!fs::exists(file)) return nullptr;
  Json result;
  try {
    result = read_json(file);
  } catch (const Error&) {
    return nullptr;  // damaged by something outside this program: run the cell again
  }
  const bool ours = result.is_object() && result.contains("effective") && result.at("effective").is_object() &&
                    config_hash(result.at("effective")) == config_hash(cell.config) &&
                    result.value("schema_version", 0) == kResultSchemaVersion && result.contains("status");
  const bool stale =
      ours && result.at("status") == "ok" && !data_hash.empty() && result.value("data_hash", "") != data_hash;
  return ours && !stale ? result : Json(nullptr);
}

Json read_cell(const fs::path& file) {
  Json record = read_json(file);
  for (const char* key : {"schema_version", "id", "status", "reason", "effective"}) {
    if (!record.is_object() || !record.contains(key)) {
      throw Error(ErrorKind::kData, file.string() + ": expected the result of a cell, such as out/cells/<id>.json; \"" +
                                        key + "\" is missing");
    }
  }
  return record;
}

Json matrix_entry(const Cell& cell, const Json& result) {
  const bool missing = result.is_null();
  return {{"id", cell.id},
          {"file", missing ? Json() : Json("cells/" + cell.id + ".json")},
          {"attack", cell.attack},
          {"defense", cell.defense},
          {"seed", cell.seed},
          {"status", missing ? Json("missing") : result.at("status")},
          {"reason", missing ? Json() : result.at("reason")},
          {"metrics", result.contains("metrics") ? summary(result.at("metrics")) : Json::object()},
          {"wall_s", result.contains("cost") ? result.at("cost").at("wall_s") : Json()}};
}

Json matrix_result(const std::string& name, const Json& gates, const std::vector<Cell>& cells,
                   const std::vector<Json>& entries, std::int64_t looks) {
  Json metrics = Json::array();
  if (!cells.empty()) {
    for (const auto& metric : cells[0].config.at("metrics")) metrics.push_back(metric.at("plugin"));
  }
  Json groups = aggregates(entries);
  return {{"schema_version", kResultSchemaVersion},
          {"name", name},
          {"metrics", std::move(metrics)},
          {"gates", gates},
          {"looks", looks},
          {"cells", entries},
          {"aggregates", std::move(groups)}};
}

}  // namespace roclip::bench
