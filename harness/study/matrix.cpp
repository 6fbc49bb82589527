#include "harness/study/matrix.h"

#include <algorithm>
#include <array>
#include <set>

#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "harness/record/text.h"
#include "harness/study/keys.h"

namespace roclip::bench {

namespace {

constexpr int kSchemaVersion = 1;

std::vector<PluginEntry> plugin_entries(const Json& list, const std::string& where) {
  if (!list.is_array() || list.empty()) refuse(where, "a list with at least one plugin", list);
  std::vector<PluginEntry> entries;
  for (std::size_t i = 0; i < list.size(); ++i) {
    PluginEntry entry{.where = where + "/" + std::to_string(i)};
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
      read_params<Limits>(entry.limits, entry.where + "/limits");
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

/// How many objects expand_sweeps() gives.
double combinations(const Json& object) {
  double product = 1;
  if (!object.is_object()) return product;
  for (const auto& value : object) {
    if (value.is_object() && value.contains("sweep") && value["sweep"].is_array()) {
      product *= static_cast<double>(value["sweep"].size());
    }
  }
  return product;
}

double combinations(const std::vector<PluginEntry>& entries) {
  double sum = 0;
  for (const auto& entry : entries) sum += combinations(entry.params);
  return sum;
}

std::string shown(double count) { return format("%.12g", count); }

/// Counts the cells before anything is expanded.
void expect_bounded(const Matrix& matrix) {
  const std::array<std::pair<const char*, double>, 5> factors = {{{"attacks", combinations(matrix.attacks)},
                                                                  {"defenses", combinations(matrix.defenses)},
                                                                  {"model", combinations(matrix.model)},
                                                                  {"training", combinations(matrix.training)},
                                                                  {"seeds", static_cast<double>(matrix.seeds.size())}}};
  double cells = 1;
  std::string product;
  for (const auto& [key, count] : factors) {
    cells *= count;
    product += (product.empty() ? "" : " x ") + shown(count) + " " + key;
  }
  if (cells <= static_cast<double>(kMostCells)) return;
  const auto* largest = std::ranges::max_element(factors, {}, &std::pair<const char*, double>::second)->first;
  throw Error(ErrorKind::kMatrix, matrix.where("/") + largest + ": expected at most " + std::to_string(kMostCells) +
                                      " cells, got " + shown(cells) + " (" + product +
                                      "); shorten the sweeps, or split the study into several matrix files");
}

}  // namespace

std::filesystem::path Matrix::folder() const {
  return std::filesystem::exists(file) && !std::filesystem::is_regular_file(file) ? "" : file.parent_path();
}

Matrix parse_matrix(const Json& json, const std::filesystem::path& file) {
  Matrix matrix;
  matrix.file = file;
  matrix.written = json;
  static const Json keys = read_json(share_dir() / "schema" / "matrix.schema.json").at("properties");
  std::vector<std::string> known;
  for (const auto& [key, schema] : keys.items()) known.push_back(key);
  if (!json.is_object()) refuse(matrix.where("/"), "an object", json);
  only_keys(json, known, file.string() + ": ");
  const auto value = [&](const std::string& key) -> const Json& {
    const Json& holder = json.contains(key) ? json : keys.at(key);
    const std::string name = json.contains(key) ? key : "default";
    if (holder.contains(name)) return holder.at(name);
    throw Error(ErrorKind::kMatrix, matrix.where("/" + key) + ": is missing; every matrix file needs it");
  };
  if (const Json& version = value("schema_version"); version != kSchemaVersion) {
    refuse(matrix.where("/schema_version"), std::to_string(kSchemaVersion), version);
  }
  const Json& name = value("name");
  if (!name.is_string() || name.get<std::string>().empty()) refuse(matrix.where("/name"), "a non-empty string", name);
  matrix.name = name;
  matrix.data = value("data");
  matrix.model = value("model");
  matrix.training = value("training");
  if (!matrix.training.is_object()) refuse(matrix.where("/training"), "an object", matrix.training);
  matrix.seeds = parse_seeds(value("seeds"), matrix.where("/seeds"));
  matrix.attacks = plugin_entries(value("attacks"), matrix.where("/attacks"));
  matrix.defenses = plugin_entries(value("defenses"), matrix.where("/defenses"));
  matrix.metrics = plugin_entries(value("metrics"), matrix.where("/metrics"));
  for (const auto& metric : matrix.metrics) {
    if (combinations(metric.params) == 1) continue;
    refuse(metric.where, "values without a sweep, for results know a metric by its id; give others in another file",
           metric.params);
  }
  matrix.limits = read_params<Limits>(value("limits"), matrix.where("/limits"));
  matrix.checkpoint = read_params<CheckpointPolicy>(value("checkpoint"), matrix.where("/checkpoint"));
  matrix.gates = read_gates(value("gates"), matrix.where("/gates"));
  expect_bounded(matrix);
  return matrix;
}

Matrix load_matrix(const std::filesystem::path& file) {
  if (std::filesystem::is_directory(file)) {
    throw Error(ErrorKind::kData,
                file.string() + ": is a folder; expected a matrix file, such as " + (file / "matrix.json").string());
  }
  if (!std::filesystem::exists(file)) {
    throw Error(ErrorKind::kData,
                file.string() + ": No such file; `roclip-bench init " + file.string() + "` writes one to begin with");
  }
  return parse_matrix(read_json(file, ErrorKind::kMatrix), file);
}

std::vector<Swept> expand_sweeps(const Json& object, const std::string& where) {
  std::vector<Swept> result = {{object, Json::object()}};
  if (!object.is_object()) return result;
  for (const auto& [key, value] : object.items()) {
    if (!value.is_object()) continue;
    if (value.size() != 1 || !value.contains("sweep") || !value["sweep"].is_array() || value["sweep"].empty()) {
      refuse(where + "/" + key, "a value, or {\"sweep\": [...]} with at least one", value);
    }
    const Json& sweep = value["sweep"];
    if (std::set<Json>(sweep.begin(), sweep.end()).size() != sweep.size()) {
      refuse(where + "/" + key + "/sweep", "values that differ", sweep);
    }
    std::vector<Swept> next;
    for (const auto& partial : result) {
      for (const auto& choice : sweep) {
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
