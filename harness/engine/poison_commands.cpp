#include <algorithm>
#include <cctype>
#include <cstdio>
#include <map>
#include <set>

#include "harness/data/poisoned_pairs.h"
#include "harness/engine/audit.h"
#include "harness/engine/cell.h"
#include "harness/engine/commands.h"
#include "harness/engine/plan.h"
#include "harness/poison/draft_folder.h"
#include "harness/poison/export.h"
#include "harness/poison/inspect.h"
#include "harness/poison/poison_set.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/study/matrix.h"
#include "harness/study/select.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// @param name as for `data prepare`; "" is null: what the set names
Json clean_data(const std::string& name) {
  if (name.empty()) return {};
  try {
    return data_named(name);
  } catch (const Error& e) {
    if (name.ends_with(".json")) throw;
    throw Error(e.kind(), std::string("--") + e.what() + "; for tables of your own, name a matrix file: MATRIX.json");
  }
}

PoisonSet set_of(const Json& task) {
  return open_poison_set(task.at("set").get<std::string>(), clean_data(task.at("data")), registry_of(task),
                         show_progress());
}

/// A label as the name of a folder: "my_trigger-rate-0.01".
std::string folder_name(const std::string& label) {
  std::string name;
  for (const char c : label) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_') {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  if (name.ends_with('-')) name.pop_back();
  return name.find_first_not_of('.') == std::string::npos ? "attack" : name;
}

/// Labels -> names of folders, all different.
std::map<std::string, std::string> folder_names(const std::vector<Cell>& cells) {
  std::map<std::string, std::string> names;
  std::set<std::string> taken;
  for (const auto& cell : cells) {
    auto& name = names[cell.attack];
    if (!name.empty()) continue;
    name = folder_name(cell.attack);
    const auto plain = name;
    for (int i = 2; !taken.insert(name).second; ++i) name = plain + "-" + std::to_string(i);
  }
  return names;
}

/// Finds out whether a set can be written, before any is.
void check_place(const fs::path& folder) {
  try {
    const DraftFolder draft(folder);
  } catch (const Error& e) {
    throw Error(e.kind(), std::string(e.what()) + "; to make only other sets, add --only, such as --only seed=2");
  }
}

std::int64_t image_px(const Cell& cell) { return image_px_of(cell.config.at("model")); }

}  // namespace

int poison_make(const Json& task) {
  const Registry registry = registry_of(task);
  const Matrix matrix = load_matrix(task.at("matrix").get<std::string>());
  const auto cells = make_plan(matrix, registry);
  std::set<std::int64_t> sizes;
  for (const auto& cell : cells) sizes.insert(image_px(cell));

  struct Poisons {
    fs::path folder;
    const Cell* cell;
    ReadyAttack ready;
    PoisonPlan plan;
  };
  std::vector<Poisons> wanted;
  const auto names = folder_names(cells);
  std::map<std::int64_t, LoadedData> data_at;
  std::set<std::string> seen;
  for (const auto* cell : select(cells, task.at("only"))) {
    if (!seen.insert(Json{cell->config.at("attack"), cell->seed, image_px(*cell)}.dump()).second) continue;
    if (!data_at.contains(image_px(*cell))) data_at.emplace(image_px(*cell), open_data(cell->config, show_progress()));
    const auto& data = data_at.at(image_px(*cell));
    auto ready = ready_attack(cell->config, data, registry, {task.at("out").get<std::string>()}, torch::kCPU);
    auto plan = fresh_plan(cell->config, data, ready);
    if (plan.edits.empty() && plan.removes.empty()) continue;
    const auto size = sizes.size() > 1 ? "-" + std::to_string(image_px(*cell)) + "px" : "";
    const auto name = names.at(cell->attack) + size + "-s" + std::to_string(cell->seed);
    wanted.push_back({fs::path(task.at("out").get<std::string>()) / name, cell, std::move(ready), std::move(plan)});
  }
  if (wanted.empty()) {
    throw Error(ErrorKind::kEmpty, matrix.where("/attacks") + ": no selected attack poisons anything");
  }
  for (const auto& poisons : wanted) check_place(poisons.folder);
  for (const auto& [folder, cell, ready, plan] : wanted) {
    write_poison_set(folder, cell->config, data_at.at(image_px(*cell)), plan, ready);
    std::printf("%s\n", folder.c_str());
  }
  return 0;
}

int poison_inspect(const Json& task) {
  const auto set = set_of(task);
  const Json found = facts(set);
  std::fputs((task.at("json") ? found.dump(2) + "\n" : summary(set, found)).c_str(), stdout);
  return 0;
}

int poison_export(const Json& task) {
  const auto set = set_of(task);
  const std::string out = task.at("out");
  export_poison_set(set, out, show_progress());
  std::printf(
      "%s\n  poisons.csv lists the poisoned pairs; do not give it to a defense\n"
      "  RoCLIP, CyCLIP, CleanCLIP: --train_data %s --image_key path --caption_key caption --delimiter ,\n"
      "  open_clip, started in that folder: --train-data train.csv --csv-img-key path --csv-caption-key caption "
      "--csv-separator ,\n",
      out.c_str(), shell_word(out + "/train.csv").c_str());
  return 0;
}

int poison_import(const Json& task) {
  const auto set = set_of(task);
  std::fprintf(stderr, "%s is complete and fits the data; its entry for \"attacks\" in a matrix file:\n",
               set.folder.c_str());
  std::printf("%s\n", set.entry.dump().c_str());
  return 0;
}

namespace {

/// For data that nobody is known to have attacked.
class Nobody final : public Attack {
  PoisonPlan plan(const AttackView&, std::uint64_t) const override { return {}; }
};

/// "model" and "training" as a matrix file has them; without one, the defaults.
Json model_and_training(const std::string& data, std::int64_t epochs) {
  Json model = "tiny", training = Json::object();
  fs::path folder = ".";
  if (data.ends_with(".json")) {
    const Matrix matrix = load_matrix(data);
    model = matrix.model;
    training = matrix.training;
    folder = matrix.folder();
    if (expand_sweeps(model, matrix.where("/model")).size() > 1 ||
        expand_sweeps(training, matrix.where("/training")).size() > 1) {
      throw Error(ErrorKind::kMatrix, matrix.where("/") + "an audit trains one model; take the sweep out");
    }
  }
  if (epochs > 0) training["epochs"] = epochs;
  return {{"model", effective_model(model, folder, "model")},
          {"training", write_params(read_params<TrainingParams>(training, "training"))}};
}

}  // namespace

int audit_data(const Json& task) {
  const std::string name = task.at("data"), poisons = task.at("poisons");
  const fs::path out = task.at("out").get<std::string>();
  const Json how = model_and_training(name, task.at("epochs"));
  const Registry registry = registry_of(task);
  std::vector<std::string> filters = task.at("filters");
  for (auto& filter : filters) filter = registry.find(PluginKind::kDefense, filter, "--filters").id();
  if (filters.empty()) filters = filters_of(registry, how.at("training"));

  const Progress progress = show_progress();
  const Nobody nobody;
  std::optional<PoisonSet> set;
  std::optional<LoadedData> loaded;
  if (poisons.empty()) {
    loaded = load_data(data_named(name), image_px_of(how.at("model")), progress);
  } else {
    set = open_poison_set(poisons, data_named(name), registry, progress);
  }
  const Dataset& data = set ? set->data : *loaded;
  const PoisonPlan plan = set ? set->plan : PoisonPlan{};
  const Attack& attack = set ? static_cast<const Attack&>(*set->attack) : nobody;
  const PoisonedPairs pairs(data, plan, attack, {}, stream(set ? set->seed : 1, kPlaceOfPoisons));
  fs::create_directories(out);
  const Json found = audit(data, pairs, set ? pairs.poisoned() : std::vector<bool>{}, registry,
                           {.model = how.at("model"),
                            .training = how.at("training"),
                            .filters = filters,
                            .rows = task.at("rows"),
                            .folder = out / "checkpoints"},
                           progress);
  write_json(out / "audit.json", found);
  write_file(out / "audit.html", audit_page(found));
  std::fputs(audit_text(found).c_str(), stdout);
  std::printf("%s\n%s\n", (out / "audit.json").c_str(), (out / "audit.html").c_str());
  return 0;
}

}  // namespace roclip::bench
