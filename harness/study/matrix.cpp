#include "harness/study/matrix.h"

#include <algorithm>
#include <array>
#include <set>

#include "harness/record/checked_json.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "harness/record/text.h"

namespace roclip::bench {

namespace {

constexpr int kSchemaVersion = 1;

/// In messages about mistakes in a matrix file. @param where file and key
CheckedJson checked(const Json& json, const std::string& where) {
  return {json, where, /*next_step=*/"", ErrorKind::kMatrix};
}

PluginEntry plugin_entry(const CheckedJson& item, std::string where) {
  if (item.json().is_string()) return {.plugin = item.text(), .where = std::move(where)};
  if (!item.json().is_object() || !item.get("plugin").json().is_string()) {
    item.refuse("a plugin's name, or an object with \"plugin\" and its parameters");
  }
  PluginEntry entry{.plugin = item.at("plugin").text(), .params = item.object(), .where = std::move(where)};
  if (item.has("label")) entry.label = item.at("label").text();
  if (item.has("limits")) {
    entry.limits = item.at("limits").json();
    read_params<Limits>(entry.limits, entry.where + "/limits");
  }
  for (const char* key : {"plugin", "label", "limits"}) entry.params.erase(key);
  return entry;
}

std::vector<PluginEntry> plugin_entries(const CheckedJson& list, const std::string& where) {
  if (!list.json().is_array() || list.json().empty()) list.refuse("a list with at least one plugin");
  std::vector<PluginEntry> entries;
  for (const auto& item : list.items()) {
    entries.push_back(plugin_entry(item, where + "/" + std::to_string(entries.size())));
  }
  return entries;
}

std::vector<std::int64_t> parse_seeds(const CheckedJson& json) {
  const Json& list = json.json();
  const auto is_seed = [](const Json& v) {
    return v.is_number_integer() && v.get<double>() >= 0 && v.get<double>() < 0x1p53;
  };
  if (!list.is_array() || list.empty() || !std::ranges::all_of(list, is_seed)) {
    json.refuse("a list of at least one integer in [0, 2^53)");
  }
  auto seeds = list.get<std::vector<std::int64_t>>();
  if (std::set(seeds.begin(), seeds.end()).size() != seeds.size()) json.refuse("seeds that differ");
  return seeds;
}

/// Whether the value of this key has keys of its own: vision_cfg and the like, of a model that open_clip describes.
bool is_section(const std::string& key) { return key.ends_with("_cfg"); }

/// How many objects expand_sweeps() gives.
double combinations(const Json& object) {
  double product = 1;
  if (!object.is_object()) return product;
  for (const auto& [key, value] : object.items()) {
    if (is_section(key)) {
      product *= combinations(value);
    } else if (value.is_object() && value.contains("sweep") && value["sweep"].is_array()) {
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

/// What a key may become, and what of that was swept. @param value an object
std::vector<Swept> choices_of(const std::string& key, const Json& value, const std::string& where) {
  std::vector<Swept> choices;
  if (is_section(key)) {
    for (auto& [section, chosen] : expand_sweeps(value, where)) {
      Json named = Json::object();
      for (const auto& [inner, choice] : chosen.items()) named[key + "/" + inner] = choice;
      choices.push_back({section, named});
    }
    return choices;
  }
  if (value.size() != 1 || !value.contains("sweep") || !value["sweep"].is_array() || value["sweep"].empty()) {
    checked(value, where).refuse("a value, or {\"sweep\": [...]} with at least one");
  }
  const Json& sweep = value["sweep"];
  if (std::set<Json>(sweep.begin(), sweep.end()).size() != sweep.size()) {
    checked(sweep, where + "/sweep").refuse("values that differ");
  }
  for (const auto& choice : sweep) choices.push_back({choice, {{key, choice}}});
  return choices;
}

}  // namespace

std::filesystem::path Matrix::folder() const {
  return std::filesystem::exists(file) && !std::filesystem::is_regular_file(file) ? "" : file.parent_path();
}

Matrix parse_matrix(const Json& json, const std::filesystem::path& file) {
  Matrix matrix;
  matrix.file = file;
  matrix.written = json;
  static const Json schema = read_json(share_dir() / "schema" / "matrix.schema.json");
  std::vector<std::string> known;
  for (const auto& [key, property] : schema.at("properties").items()) known.push_back(key);
  Json whole = json;
  const auto root = checked(whole, file.string());
  root.only_keys(known);
  for (const std::string key : schema.at("required")) {
    if (!root.has(key)) root.get(key).fail("is missing; every matrix file needs it");
  }
  for (const auto& [key, property] : schema.at("properties").items()) {
    if (property.contains("default")) whole.emplace(key, property.at("default"));
  }
  const auto version = root.at("schema_version");
  if (version.json() != kSchemaVersion) version.refuse(std::to_string(kSchemaVersion));
  matrix.name = root.at("name").json().is_string() ? root.at("name").text() : "";
  if (matrix.name.empty()) root.at("name").refuse("a non-empty string");
  matrix.data = whole.at("data");
  matrix.model = whole.at("model");
  matrix.training = root.at("training").object();
  if (root.has("start_from")) matrix.start_from = matrix.folder() / root.at("start_from").text();
  matrix.seeds = parse_seeds(root.at("seeds"));
  matrix.attacks = plugin_entries(root.at("attacks"), matrix.where("/attacks"));
  matrix.defenses = plugin_entries(root.at("defenses"), matrix.where("/defenses"));
  matrix.metrics = plugin_entries(root.at("metrics"), matrix.where("/metrics"));
  for (const auto& metric : matrix.metrics) {
    if (combinations(metric.params) == 1) continue;
    checked(metric.params, metric.where)
        .refuse("values without a sweep, for results know a metric by its id; give others in another file");
  }
  matrix.limits = read_params<Limits>(whole.at("limits"), matrix.where("/limits"));
  matrix.checkpoint = read_params<CheckpointPolicy>(whole.at("checkpoint"), matrix.where("/checkpoint"));
  matrix.gates = read_gates(whole.at("gates"), matrix.where("/gates"));
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
    std::vector<Swept> next;
    for (const auto& partial : result) {
      for (const auto& [choice, chosen] : choices_of(key, value, where + "/" + key)) {
        Swept swept = partial;
        swept.object[key] = choice;
        swept.chosen.update(chosen);
        next.push_back(std::move(swept));
      }
    }
    result = std::move(next);
  }
  return result;
}

}  // namespace roclip::bench
