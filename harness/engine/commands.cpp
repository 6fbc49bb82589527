#include "harness/engine/commands.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <iomanip>
#include <iostream>

#include <unistd.h>

#include "harness/data/cache.h"
#include "harness/data/data.h"
#include "harness/engine/cell.h"
#include "harness/model/clip.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "harness/study/matrix.h"
#include "harness/study/schema.h"
#include "harness/train/trainer.h"
#include "registry.h"
#include "roclip/error.h"
#include "roclip/metric.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// What a defense is given, or which way a metric is better; null for an attack, and for a plugin that cannot be made
/// without parameters.
Json character(const PluginDescriptor& plugin) {
  try {
    const Json none = Json::object();
    if (plugin.make_defense != nullptr) {
      return to_string(std::unique_ptr<Defense>(plugin.make_defense(none))->capability());
    }
    if (plugin.make_metric != nullptr) {
      return std::unique_ptr<Metric>(plugin.make_metric(none))->better() == Better::kHigher ? "higher" : "lower";
    }
  } catch (const Error&) {
  }
  return nullptr;
}

Json to_json(const PluginInfo& info) {
  const auto& plugin = *info.descriptor;
  Json json = {{"kind", to_string(plugin.kind)},
               {"id", plugin.id},
               {"summary", plugin.summary},
               {"file", info.file},
               {"abi", plugin.abi},
               {"build", plugin.build_id},
               {"parameters", plugin.describe()}};
  if (plugin.kind == PluginKind::kDefense) json["capability"] = character(plugin);
  if (plugin.kind == PluginKind::kMetric) json["better"] = character(plugin);
  return json;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// "[1, 64]", ">= 1", "none | matched" or ""
std::string allowed(const Json& parameter) {
  if (parameter.contains("choices")) {
    std::string text;
    for (const auto& choice : parameter.at("choices")) text += (text.empty() ? "" : " | ") + text_of(choice);
    return text;
  }
  const auto bound = [](const Json& number) {
    const double value = number.get<double>();
    return value == static_cast<double>(static_cast<std::int64_t>(value))
               ? std::to_string(static_cast<std::int64_t>(value))
               : number.dump();
  };
  const bool low = parameter.contains("min"), high = parameter.contains("max");
  if (low && high) return "[" + bound(parameter.at("min")) + ", " + bound(parameter.at("max")) + "]";
  if (low) return ">= " + bound(parameter.at("min"));
  return high ? "<= " + bound(parameter.at("max")) : "";
}

std::string text_at(const Json& json, const char* key) { return text_of(json.at(key)); }

/// @param plugin as to_json() has it
void print(const Json& plugin) {
  std::cout << text_at(plugin, "kind") << " " << text_at(plugin, "id") << "\n  " << text_at(plugin, "summary")
            << "\n  file " << text_at(plugin, "file") << "\n  built for ABI " << text_at(plugin, "abi") << ", "
            << text_at(plugin, "build") << "\n";
  for (const auto& [key, words] : {std::pair("capability", "is given"), std::pair("better", "better")}) {
    if (plugin.value(key, Json()).is_string()) std::cout << "  " << words << " " << text_at(plugin, key) << "\n";
  }
  std::cout << (plugin.at("parameters").empty() ? "  no parameters\n" : "  parameters\n");
  for (const auto& p : plugin.at("parameters")) {
    const std::string unit = p.value("unit", "1") == "1" ? "" : " " + text_at(p, "unit");
    std::cout << "    " << text_at(p, "name") << " = " << p.at("default") << unit << "   (" << text_at(p, "type")
              << (allowed(p).empty() ? "" : ", ") << allowed(p) << ")\n      " << text_at(p, "doc")
              << "\n      source: " << text_at(p, "source") << "\n";
  }
}

/// "2026-11-24", in local time
std::string day(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%F", ::localtime_r(&time, &parts));
  return text.data();
}

/// The sets of a matrix file, the one of this name, or all of "transfer".
std::vector<Json> sets_meant(const std::string& text) {
  if (!text.ends_with(".json")) return sets_named(text);
  std::vector<Json> sets;
  for (const auto& [name, set] : sets_of(data_named(text))) sets.push_back(set);
  return sets;
}

/// @throws Error(kPlugin), always
[[noreturn]] void unknown_plugin(const std::string& name, const Registry& registry) {
  std::vector<std::string> names;
  for (const auto& plugin : registry.plugins()) names.push_back(plugin.name());
  for (const auto& [file, reason] : registry.refused()) {
    if (file.stem() == name) throw Error(ErrorKind::kPlugin, file.string() + ": it " + reason);
  }
  throw Error(ErrorKind::kPlugin,
              "unknown plugin \"" + name + "\"" + did_you_mean(name, names) +
                  "; `roclip-bench plugin list` shows all; for one of your own, give its folder: --plugin-path");
}

}  // namespace

Json data_named(const std::string& text) {
  if (text.ends_with(".json")) {
    const Matrix matrix = load_matrix(text);
    return effective_data(matrix.data, matrix.folder(), matrix.where("/data"));
  }
  return effective_data(text, ".", "data");
}

Registry registry_of(const Json& task) { return Registry(plugin_search_path(task.at("plugin_path"))); }

Progress show_progress() {
  return [pace = PaceLine()](std::string_view what, std::int64_t done, std::int64_t total) mutable {
    const std::string text(what);
    if (total == 0) {
      std::fprintf(stderr, "%s\n", text.c_str());
    } else if (::isatty(STDERR_FILENO)) {
      constexpr const char* kClearLine = "\r\x1b[K";
      std::fprintf(stderr, "%s%s%s", kClearLine, pace(text, done, total).c_str(), done == total ? "\n" : "");
    } else if (done == total) {
      std::fprintf(stderr, "%s: done\n", text.c_str());
    }
  };
}

int plugin_info(const Json& task) {
  const Registry registry = registry_of(task);
  const std::string name = task.at("plugin");
  Json list = Json::array();
  for (const auto& plugin : registry.plugins()) {
    if (plugin.name() == name || plugin.id() == name) list.push_back(to_json(plugin));
  }
  if (list.empty()) unknown_plugin(name, registry);
  if (task.at("json")) {
    std::cout << list.dump(2) << "\n";
  } else {
    std::ranges::for_each(list, &print);
  }
  return 0;
}

int plugin_validate(const Json& task) {
  const bool json = task.at("json");
  Json list = Json::array();
  bool all = true;
  for (const fs::path file : task.at("files")) {
    expect_plugin_file(file);
    const Registry registry({fs::canonical(file)});
    for (const auto& plugin : registry.plugins()) {
      list.push_back(to_json(plugin));
      if (!json) print(list.back());
    }
    for (const auto& [refused, reason] : registry.refused()) {
      all = false;
      list.push_back({{"file", refused}, {"refused", reason}});
      if (!json) std::cout << "refused " << refused.string() << ": it " << reason << "\n";
    }
  }
  if (json) std::cout << list.dump(2) << "\n";
  return all ? 0 : static_cast<int>(ErrorKind::kPlugin);
}

int schema(const Json& task) {
  const Registry registry = registry_of(task);
  std::vector<SchemaPlugin> plugins;
  for (const auto& plugin : registry.plugins()) {
    plugins.push_back({std::string(to_string(plugin.descriptor->kind)), plugin.id(), plugin.descriptor->summary,
                       plugin.descriptor->describe()});
  }
  if (task.at("plugin").is_null()) {
    TrainingParams training;
    ParamList training_list;
    training.declare(training_list);
    std::cout << matrix_schema(read_json(share_dir() / "schema" / "matrix.schema.json"), plugins, model_presets(),
                               describe_model(), training_list.describe())
                     .dump(2)
              << "\n";
    return 0;
  }
  const std::string name = task.at("plugin");
  const auto found = std::ranges::find_if(plugins, [&](const auto& plugin) {
    return plugin.id == name || plugin.id.substr(0, plugin.id.find('/')) == name;
  });
  if (found == plugins.end()) unknown_plugin(name, registry);
  Json json = plugin_schema(*found);
  json["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  std::cout << json.dump(2) << "\n";
  return 0;
}

int data_prepare(const Json& task) {
  const auto sets = sets_meant(task.at("data"));
  expect_installed(sets);
  for (const Json& set : sets) std::cout << prepare_data(set, show_progress()).string() << "\n";
  return 0;
}

int data_list(const Json& task) {
  const Json list = list_data();
  Json files = list_packs();
  double bytes = 0;
  for (auto& file : files) {
    bytes += file.at("bytes").get<double>();
    file["last_used"] = day(file.at("last_used"));
  }
  if (task.at("json")) {
    std::cout << Json{{"data", list}, {"files", files}}.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return 0;
  }
  for (const auto& data : list) {
    std::cout << text_at(data, "name") << ": " << text_at(data, "summary") << "\n  ";
    if (data.at("prepared") == true) {
      std::cout << data.at("pairs") << " pairs, " << data.at("held_out") << " held-out images, " << data.at("classes")
                << " classes\n  " << text_at(data, "file") << "\n";
    } else {
      std::cout << "not prepared yet: roclip-bench data prepare " << text_at(data, "name") << "\n";
    }
  }
  std::cout << "\nprepared files in " << cache_dir().string() << ": " << show_bytes(bytes) << "\n";
  for (const auto& file : files) {
    std::cout << "  " << std::setw(8) << show_bytes(file.at("bytes").get<double>()) << "  last used "
              << text_at(file, "last_used") << "  " << fs::path(text_at(file, "file")).filename().string() << ": "
              << text_at(file, "data") << " (" << file.at("images") << " images"
              << (file.at("image_px") == 0 ? ")" : " of " + file.at("image_px").dump() + " px)") << "\n";
  }
  if (!files.empty()) std::cout << "  to delete some: roclip-bench data clean\n";
  return 0;
}

int data_clean(const Json& task) {
  constexpr std::int64_t kDay_s = 86400;
  const bool all = task.at("all"), dry = task.at("dry_run");
  const std::int64_t days = task.at("unused_days");
  double bytes = 0;
  std::int64_t count = 0;
  for (const auto& file : cached_files()) {
    if (!all && (std::time(nullptr) - file.last_used) / kDay_s < days) continue;
    const auto size = static_cast<double>(file.bytes);
    const bool busy = !dry && !delete_cached(file.path);
    std::cout << (dry    ? "would delete "
                  : busy ? "kept, being prepared now: "
                         : "deleted ")
              << file.path.string() << ": " << show_bytes(size) << ", last used " << day(file.last_used) << "\n";
    if (busy) continue;
    bytes += size;
    ++count;
  }
  std::cout << (dry ? "would delete " : "deleted ") << count << (count == 1 ? " file, " : " files, ")
            << show_bytes(bytes) << "\n";
  if (dry && count > 0) {
    std::cout << "to delete: roclip-bench data clean " << (all ? "--all" : "--unused-days " + std::to_string(days))
              << "\n";
  }
  return 0;
}

int data_show(const Json& task) {
  const std::string png = task.at("png");
  const std::string name = task.at("data");
  const auto sets = sets_meant(name);
  const bool is_file = name.ends_with(".json");
  if (!is_file && sets.size() != 1) {
    throw Error(ErrorKind::kUsage, "\"" + name + "\" is several data sets; name one of them");
  }
  const Json effective = is_file ? data_named(name) : sets[0], trained = sets[0];
  const std::int64_t px = trained.at("reader") == "scenes" ? trained.at("image_px") : Json(64);
  write_contact_sheet(load_data(effective, px, show_progress()), task.at("split"), task.at("count"), task.at("seed"),
                      png);
  std::cout << png << "\n";
  return 0;
}

}  // namespace roclip::bench
