#include "harness/record/result.h"

#include <map>

#include "harness/record/files.h"
#include "harness/stats/wilson.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

std::string_view to_string(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kFailed:
      return "failed";
    case Status::kCrashed:
      return "crashed";
    case Status::kTimeout:
      return "timeout";
    case Status::kOutOfMemory:
      return "oom";
    case Status::kDiverged:
      return "diverged";
    case Status::kSkipped:
      return "skipped";
  }
  return "failed";
}

namespace {

/// One character an item, so that a result file stays readable: "0110..."
std::string digits(const std::vector<std::uint8_t>& outcomes) {
  std::string text;
  for (const auto outcome : outcomes) text += outcome ? '1' : '0';
  return text;
}

Json to_json(const Count& count) {
  Json json = {
      {"name", count.name}, {"hits", count.hits}, {"trials", count.trials}, {"value", nullptr},
      {"low", nullptr},     {"high", nullptr},    {"items", count.items},   {"outcomes", digits(count.outcomes)}};
  if (count.trials > 0) {
    const auto [low, high] = wilson_95(count.hits, count.trials);
    json["value"] = static_cast<double>(count.hits) / static_cast<double>(count.trials);
    json["low"] = low;
    json["high"] = high;
  }
  return json;
}

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
                  {"not_applicable", metric.at("not_applicable")}};
  }
  return result;
}

/// Mean of each metric's headline over the seeds of one attack and defense; seeds are never pooled as items.
Json aggregates(const Json& cells) {
  struct Group {
    Json attack, defense, seeds = Json::array();
    std::map<std::string, std::vector<double>> values;
  };
  std::vector<Group> groups;
  for (const auto& cell : cells) {
    if (cell.at("status") != "ok") continue;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) {
      return g.attack == cell.at("attack") && g.defense == cell.at("defense");
    });
    if (group == groups.end()) {
      group = groups.emplace(group);
      group->attack = cell.at("attack");
      group->defense = cell.at("defense");
    }
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

Json to_json(const MetricResult& result, Better better) {
  Json counts = Json::array();
  for (const auto& count : result.counts) counts.push_back(to_json(count));
  return {{"better", better == Better::kLower ? "lower" : "higher"},
          {"unit", "fraction"},
          {"counts", std::move(counts)},
          {"not_applicable", result.not_applicable.empty() ? Json() : Json(result.not_applicable)},
          {"details", result.details.empty() ? Json() : Json::parse(result.details)}};
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
  for (const char* folder : {"cells", "logs", "manifests"}) {
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

Json finished_result(const OutputFolder& out, const Cell& cell, const std::string& data_hash) {
  const auto file = out.cell_file(cell.id);
  if (!fs::exists(file)) return nullptr;
  Json result;
  try {
    result = read_json(file);
  } catch (const Error&) {
    return nullptr;  // damaged by something outside this program: run the cell again
  }
  const bool done = result.value("status", "") == "ok" && result.value("effective", Json()) == cell.config &&
                    result.value("data_hash", "") == data_hash &&
                    result.value("schema_version", 0) == kResultSchemaVersion;
  return done ? result : Json(nullptr);
}

Json matrix_result(const Matrix& matrix, const std::vector<Cell>& cells, const std::vector<Json>& results) {
  Json entries = Json::array();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Json& result = results[i];
    entries.push_back({{"id", cells[i].id},
                       {"file", result.is_null() ? Json() : Json("cells/" + cells[i].id + ".json")},
                       {"attack", cells[i].attack},
                       {"defense", cells[i].defense},
                       {"seed", cells[i].seed},
                       {"status", result.is_null() ? Json("missing") : result.at("status")},
                       {"reason", result.is_null() ? Json() : result.at("reason")},
                       {"metrics", result.contains("metrics") ? summary(result.at("metrics")) : Json::object()},
                       {"wall_s", result.contains("cost") ? result.at("cost").at("wall_s") : Json()}});
  }
  Json groups = aggregates(entries), metrics = Json::array();
  if (!cells.empty()) {
    for (const auto& metric : cells[0].config.at("metrics")) metrics.push_back(metric.at("plugin"));
  }
  return {{"schema_version", kResultSchemaVersion},
          {"name", matrix.name},
          {"metrics", std::move(metrics)},
          {"cells", std::move(entries)},
          {"aggregates", std::move(groups)}};
}

}  // namespace roclip::bench
