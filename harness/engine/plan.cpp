#include "harness/engine/plan.h"

#include <algorithm>
#include <map>

#include "harness/data/data.h"
#include "harness/model/spec.h"
#include "harness/model/tokenizer.h"
#include "harness/record/files.h"
#include "harness/train/trainer.h"
#include "roclip/error.h"
#include "roclip/metric.h"

namespace roclip::bench {

namespace {

/// Raised when equal configurations would give other numbers than before.
constexpr int kNumericsRevision = 5;

/// A plugin entry with its sweeps resolved and its parameters checked.
struct Choice {
  std::string label;
  Json requested;
  Json effective;       ///< {"plugin": id, "params": {...}}
  Json limits;          ///< as written
  std::string refused;  ///< why the plugin cannot be used
};

std::string show(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// "match_every=2 pool_fraction=0.02"
std::string show_params(const Json& params) {
  std::string text;
  for (const auto& [key, value] : params.items()) text += (text.empty() ? "" : " ") + key + "=" + show(value);
  return text;
}

std::vector<Choice> choices(const std::vector<PluginEntry>& entries, PluginKind kind, const Registry& registry) {
  std::vector<Choice> result;
  std::map<std::string, Json> configuration_of;  // label ->
  for (const auto& entry : entries) {
    if (const auto* refused = registry.refused(kind, entry.plugin)) {
      // Nobody can check its parameters.
      result.push_back({entry.label.empty() ? entry.plugin : entry.label,
                        {{"plugin", entry.plugin}, {"params", entry.params}},
                        {{"plugin", entry.plugin}, {"params", entry.params}},
                        entry.limits,
                        refused->file.string() + " " + refused->reason});
      continue;
    }
    const auto& plugin = registry.find(kind, entry.plugin, entry.where + "/plugin");
    const bool alone = std::ranges::count_if(entries, [&](const PluginEntry& other) {
                         return other.plugin == entry.plugin && other.label.empty();
                       }) == 1;
    for (const auto& [params, swept] : expand_sweeps(entry.params, entry.where)) {
      const Json effective = plugin.descriptor->effective(params, entry.where);
      const std::string base = entry.label.empty() ? plugin.name() : entry.label;
      const std::string telling = show_params(!entry.label.empty() || alone ? swept : params);
      const std::string label = base + (telling.empty() ? "" : " " + telling);
      const Json choice = {{"plugin", plugin.id()}, {"params", effective}};
      if (configuration_of.try_emplace(label, choice).first->second != choice) {
        throw Error(ErrorKind::kMatrix, entry.where + ": \"" + label +
                                            "\" already names another configuration; give one of them a \"label\"");
      }
      result.push_back({label, {{"plugin", entry.plugin}, {"params", params}}, choice, entry.limits, ""});
    }
  }
  return result;
}

/// What a part of the matrix file comes to. @throws Error of the same kind that names the part, if it did not yet
template <class Work>
auto at(const std::string& where, const Work& work) {
  try {
    return work();
  } catch (const Error& e) {
    if (std::string(e.what()).starts_with(where)) throw;
    throw Error(e.kind(), where + ": " + e.what());
  }
}

/// The file itself, or the only one that a run has kept in an output folder. @throws Error(kData)
std::filesystem::path kept_weights(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  std::vector<std::filesystem::path> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(path / "weights", none)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  if (files.size() == 1) return files.front();
  throw Error(ErrorKind::kData, path.string() + ": expected the kept weights of one cell in it, found " +
                                    std::to_string(files.size()) +
                                    " files; name the file, or run a cell with --keep-weights");
}

std::string name_of(const Choice& choice) { return plugin_name(choice.effective.at("plugin")); }

}  // namespace

std::vector<Cell> make_plan(const Matrix& matrix, const Registry& registry) {
  const Json data = effective_data(matrix.data, matrix.folder(), matrix.where("/data"));
  const auto content = content_id(data);
  const auto attacks = choices(matrix.attacks, PluginKind::kAttack, registry);
  const auto defenses = choices(matrix.defenses, PluginKind::kDefense, registry);
  Json metrics = Json::array();
  for (const auto& metric : choices(matrix.metrics, PluginKind::kMetric, registry)) {
    if (!metric.refused.empty()) throw Error(ErrorKind::kPlugin, metric.refused);
    const Json& id = metric.effective.at("plugin");
    if (std::ranges::any_of(metrics, [&](const Json& other) { return other.at("plugin") == id; })) {
      throw Error(ErrorKind::kMatrix, matrix.where("/metrics") + ": " + id.get<std::string>() +
                                          " stands here twice; results know a metric by its id, so give each once, " +
                                          "and other parameters in another matrix file");
    }
    metrics.push_back(metric.effective);
  }

  Json start;
  if (!matrix.start_from.empty()) {
    start = at(matrix.where("/start_from"), [&] {
      const auto file = kept_weights(std::filesystem::absolute(matrix.start_from).lexically_normal());
      return Json{{"file", file}, {"hash", hash_file(file)}};
    });
  }

  std::vector<Cell> cells;
  std::map<std::string, std::string> name_of_id;
  for (const auto& [model, model_swept] : expand_sweeps(matrix.model, matrix.where("/model"))) {
    const auto where = matrix.where("/model");
    const Json model_json = at(where, [&] { return effective_model(model, matrix.folder(), where); });
    at(where, [&] { check_tokenizer(model_spec(model_json).tokenizer); });
    for (const auto& [training, training_swept] : expand_sweeps(matrix.training, matrix.where("/training"))) {
      Json training_json = write_params(read_params<TrainingParams>(training, matrix.where("/training")));
      if (training_json["deterministic"] == false) training_json.erase("deterministic");  // ids of before it was a key
      Json swept = model_swept;
      swept.update(training_swept);
      for (const auto& attack : attacks) {
        for (const auto& defense : defenses) {
          for (const auto seed : matrix.seeds) {
            Cell cell;
            cell.attack = attack.label;
            cell.defense = defense.label + (swept.empty() ? "" : " (" + show_params(swept) + ")");
            cell.seed = seed;
            cell.requested = {
                {"attack", attack.requested}, {"defense", defense.requested}, {"model", model}, {"training", training}};
            cell.config = {{"numerics", kNumericsRevision},
                           {"data", data},
                           {"data_content", content},
                           {"model", model_json},
                           {"training", training_json},
                           {"attack", attack.effective},
                           {"defense", defense.effective},
                           {"metrics", metrics},
                           {"seed", seed}};
            if (!start.is_null()) cell.config["start_from"] = start;
            cell.refused = attack.refused.empty() ? defense.refused : attack.refused;
            cell.limits = read_params(defense.limits, "limits", read_params(attack.limits, "limits", matrix.limits));
            cell.id =
                name_of(attack) + "-" + name_of(defense) + "-s" + std::to_string(seed) + "-" + config_hash(cell.config);
            const auto [known, is_new] = name_of_id.try_emplace(cell.id, cell_name(cell));
            if (!is_new) {
              throw Error(ErrorKind::kMatrix, matrix.where("/") + "attacks, defenses: " + known->second + " and " +
                                                  cell_name(cell) + " are one configuration, once defaults are " +
                                                  "filled in; delete one of them");
            }
            cells.push_back(std::move(cell));
          }
        }
      }
    }
  }
  if (std::ranges::none_of(cells, [](const Cell& cell) { return cell.refused.empty(); })) {
    throw Error(ErrorKind::kPlugin, "no cell can run: " + cells.front().refused);
  }
  expect_gates_fit(matrix.gates, cells, matrix.where("/gates"));
  return cells;
}

void expect_data_fits(const std::vector<Cell>& cells, std::int64_t pairs, std::int64_t held_out, const Matrix& matrix,
                      const Registry& registry) {
  for (const auto& cell : cells) {
    const std::int64_t batch_size = cell.config.at("training").at("batch_size");
    if (batch_size <= pairs) continue;
    throw Error(ErrorKind::kMatrix, matrix.where("/training/batch_size") + ": expected at most " +
                                        std::to_string(pairs) + ", the training pairs of the data, got " +
                                        std::to_string(batch_size));
  }
  for (const Json& metric : cells.front().config.at("metrics")) {
    const auto made = at(matrix.where("/metrics"), [&] {
      return registry.make_metric(metric.at("plugin").get<std::string>(), metric.at("params"));
    });
    if (held_out > 0 || !made->needs_held_out()) continue;
    throw Error(ErrorKind::kMatrix, matrix.where("/metrics") + ": " + plugin_name(metric.at("plugin")) +
                                        " needs labelled images, and the data has none; set data/labelled");
  }
}

}  // namespace roclip::bench
