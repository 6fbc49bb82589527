#include "harness/record/cell.h"

#include <algorithm>
#include <set>

#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

void Limits::declare(ParamList& list) {
  list.add("time_s", time_s, Range{0, 1e9}, "s", "wall time of one worker; 0 = none", "ours");
  list.add("memory_mib", memory_mib, Range{0, 1e9}, "MiB", "resident memory of a cell's worker, or of its ranks together; 0 = 90 % of the machine's",
           "ours");
}

void CheckpointPolicy::declare(ParamList& list) {
  list.add("every_s", every_s, Range{0, 1e9}, "s", "time between checkpoints; 0 = not by time", "ours");
  list.add("every_epochs", every_epochs, Range{0, 1e6}, "epochs", "checkpoint after epochs that this divides; 0 = none",
           "ours");
}

std::string config_hash(Json config) {
  config.erase("data");
  const std::pair<const char*, const char*> places[] = {{"model", "merges"}, {"start_from", "file"}};
  for (const auto& [section, path] : places) {
    if (const auto found = config.find(section); found != config.end()) found->erase(path);
  }
  if (const auto metrics = config.find("metrics"); metrics != config.end()) std::sort(metrics->begin(), metrics->end());
  return hash_hex(config.dump()).substr(0, 10);
}

void to_json(Json& json, const Cell& cell) {
  json = {{"id", cell.id},         {"attack", cell.attack},       {"defense", cell.defense},
          {"seed", cell.seed},     {"requested", cell.requested}, {"effective", cell.config},
          {"limits", cell.limits}, {"refused", cell.refused}};
}

void from_json(const Json& json, Cell& cell) {
  cell = {json.at("id"),
          json.at("attack"),
          json.at("defense"),
          json.at("seed"),
          json.at("requested"),
          json.at("effective"),
          json.value("limits", Limits{}),
          json.value("refused", "")};
}

Json cells_to_json(const std::vector<Cell>& cells) {
  Json groups = Json::array();
  const Cell* first = nullptr;
  for (const auto& cell : cells) {
    if (first == nullptr || cell.attack != first->attack || cell.defense != first->defense) {
      first = &cell;
      groups.push_back({{"like", cell}, {"seeds", Json::array()}, {"ids", Json::array()}});
    }
    groups.back().at("seeds").push_back(cell.seed);
    groups.back().at("ids").push_back(cell.id);
  }
  return groups;
}

std::vector<Cell> cells_from_json(const Json& groups) {
  std::vector<Cell> cells;
  for (const auto& group : groups) {
    const Cell like = group.at("like");
    for (std::size_t i = 0; i < group.at("ids").size(); ++i) {
      Cell& cell = cells.emplace_back(like);
      cell.id = group.at("ids")[i];
      cell.config["seed"] = cell.seed = group.at("seeds")[i];
    }
  }
  return cells;
}

std::string plugin_name(const std::string& id) { return id.substr(0, id.find('/')); }

std::string metric_on_set(const std::string& id, const std::string& set) {
  return plugin_name(id) + "@" + set + id.substr(plugin_name(id).size());
}

std::string cell_name(const std::string& attack, const std::string& defense, std::int64_t seed) {
  return attack + " x " + defense + ", seed " + std::to_string(seed);
}

}  // namespace roclip::bench
