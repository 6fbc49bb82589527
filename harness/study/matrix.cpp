#include "harness/study/matrix.h"

#include <algorithm>
#include <set>

#include "harness/record/files.h"
#include "harness/study/gates.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

constexpr int kSchemaVersion = 1;
const std::vector<std::string> kKeys = {"$schema", "schema_version", "name",    "data",     "model",
                                        "seeds",   "training",       "attacks", "defenses", "metrics",
                                        "limits",  "checkpoint",     "gates"};

[[noreturn]] void refuse(const std::string& where, const std::string& expected, const Json& got) {
  throw Error(ErrorKind::kMatrix, where + ": expected " + expected + ", got " + got.dump());
}

Json require(const Json& object, const std::string& key, const Matrix& matrix) {
  if (!object.contains(key)) {
    throw Error(ErrorKind::kMatrix, matrix.where("/" + key) + ": is missing; every matrix file needs it");
  }
  return object.at(key);
}

std::vector<PluginEntry> plugin_entries(const Json& list, const std::string& where) {
  if (!list.is_array() || list.empty()) refuse(where, "a list with at least one plugin", list);
  std::vector<PluginEntry> entries;
  for (std::size_t i = 0; i < list.size(); ++i) {
    PluginEntry entry{.plugin = "",
                      .label = "",
                      .params = Json::object(),
                      .limits = Json::object(),
                      .where = where + "/" + std::to_string(i)};
    Json item = list[i].is_string() ? Json{{"plugin", list[i]}} : list[i];
    if (!item.is_object() || !item.contains("plugin") || !item["plugin"].is_string()) {
      refuse(entry.where, "a plugin's name, or an object with \"plugin\" and its parameters", list[i]);
    }
    entry.plugin = item["plugin"];
    item.erase("plugin");
    if (item.contains("label")) {
      if (!item["label"].is_string()) refuse(entry.where + "/label", "a string", item["label"]);
      entry.label = item["label"];
      item.erase("label");
    }
    if (item.contains("limits")) {
      entry.limits = item["limits"];
      merged_limits({}, entry.limits, entry.where + "/limits");
      item.erase("limits");
    }
    entry.params = std::move(item);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<std::int64_t> parse_seeds(const Json& list, const std::string& where) {
  const auto is_seed = [](const Json& v) {
    return v.is_number_integer() && v.get<double>() >= 0 && v.get<double>() < 0x1p53;
  };
  if (!list.is_array() || list.empty() || !std::ranges::all_of(list, is_seed)) {
    refuse(where, "a list of at least one integer in [0, 2^53)", list);
  }
  auto seeds = list.get<std::vector<std::int64_t>>();
  if (std::set(seeds.begin(), seeds.end()).size() != seeds.size()) refuse(where, "seeds that differ", list);
  return seeds;
}

}  // namespace

Matrix load_matrix(const std::filesystem::path& file) {
  Matrix matrix;
  matrix.file = file;
  if (std::filesystem::is_directory(file)) {
    throw Error(ErrorKind::kData,
                file.string() + ": is a folder; expected a matrix file, such as " + (file / "matrix.json").string());
  }
  if (!std::filesystem::exists(file)) {
    throw Error(ErrorKind::kData,
                file.string() + ": No such file; `roclip-bench init " + file.string() + "` writes one to begin with");
  }
  const Json json = read_json(file, ErrorKind::kMatrix);
  if (!json.is_object()) refuse(matrix.where("/"), "an object", json);
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(kKeys, key) == kKeys.end()) {
      throw Error(ErrorKind::kMatrix, matrix.where("/" + key) + ": unknown key" + did_you_mean(key, kKeys));
    }
  }
  if (const Json version = require(json, "schema_version", matrix); version != kSchemaVersion) {
    refuse(matrix.where("/schema_version"), std::to_string(kSchemaVersion), version);
  }
  const Json name = require(json, "name", matrix);
  if (!name.is_string() || name.get<std::string>().empty()) refuse(matrix.where("/name"), "a non-empty string", name);
  matrix.name = name;
  matrix.data = require(json, "data", matrix);
  matrix.model = json.value("model", Json("tiny"));
  matrix.training = json.value("training", Json::object());
  if (!matrix.training.is_object()) refuse(matrix.where("/training"), "an object", matrix.training);
  matrix.seeds = parse_seeds(json.value("seeds", Json::array({1})), matrix.where("/seeds"));
  matrix.attacks = plugin_entries(require(json, "attacks", matrix), matrix.where("/attacks"));
  matrix.defenses = plugin_entries(require(json, "defenses", matrix), matrix.where("/defenses"));
  matrix.metrics = plugin_entries(json.value("metrics", Json::array({"attack_success", "zero_shot", "linear_probe"})),
                                  matrix.where("/metrics"));
  matrix.limits = merged_limits({}, json.value("limits", Json::object()), matrix.where("/limits"));
  matrix.checkpoint =
      read_params<CheckpointPolicy>(json.value("checkpoint", Json::object()), matrix.where("/checkpoint"));
  matrix.gates = json.value("gates", Json::array());
  read_gates(matrix.gates, matrix.where("/gates"));  // so that a misspelt gate is found before hours of training
  return matrix;
}

std::vector<Swept> expand_sweeps(const Json& object, const std::string& where) {
  std::vector<Swept> result = {{object, Json::object()}};
  if (!object.is_object()) return result;
  for (const auto& [key, value] : object.items()) {
    if (!value.is_object()) continue;
    if (value.size() != 1 || !value.contains("sweep") || !value["sweep"].is_array() || value["sweep"].empty()) {
      refuse(where + "/" + key, "a value, or {\"sweep\": [...]} with at least one", value);
    }
    std::vector<Swept> next;
    for (const auto& partial : result) {
      for (const auto& choice : value["sweep"]) {
        Swept swept = partial;
        swept.object[key] = choice;
        swept.chosen[key] = choice;
        next.push_back(std::move(swept));
      }
    }
    result = std::move(next);
  }
  return result;
}

}  // namespace roclip::bench
