#include "harness/engine/commands.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
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

Json to_json(const PluginInfo& plugin) {
  Json json = {{"kind", to_string(plugin.descriptor->kind)},
               {"id", plugin.id()},
               {"summary", plugin.descriptor->summary},
               {"file", plugin.file},
               {"abi", plugin.descriptor->abi},
               {"build", plugin.descriptor->build_id},
               {"parameters", plugin.descriptor->describe()}};
  if (plugin.descriptor->kind == PluginKind::kDefense) json["capability"] = character(*plugin.descriptor);
  if (plugin.descriptor->kind == PluginKind::kMetric) json["better"] = character(*plugin.descriptor);
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

void print(const PluginInfo& plugin) {
  std::printf("%s %s\n  %s\n  file %s\n  built for ABI %u, %s\n",
              std::string(to_string(plugin.descriptor->kind)).c_str(), plugin.descriptor->id,
              plugin.descriptor->summary, plugin.file.c_str(), plugin.descriptor->abi, plugin.descriptor->build_id);
  if (const Json what = character(*plugin.descriptor); what.is_string()) {
    std::printf("  %s %s\n", plugin.descriptor->kind == PluginKind::kDefense ? "is given" : "better",
                what.get<std::string>().c_str());
  }
  const Json parameters = plugin.descriptor->describe();
  std::puts(parameters.empty() ? "  no parameters" : "  parameters");
  for (const auto& p : parameters) {
    const std::string unit = p.value("unit", "1") == "1" ? "" : " " + p.at("unit").get<std::string>();
    std::printf("    %s = %s%s   (%s%s%s)\n      %s\n      source: %s\n", p.at("name").get<std::string>().c_str(),
                p.at("default").dump().c_str(), unit.c_str(), p.at("type").get<std::string>().c_str(),
                allowed(p).empty() ? "" : ", ", allowed(p).c_str(), p.at("doc").get<std::string>().c_str(),
                p.at("source").get<std::string>().c_str());
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

Registry registry_of(const Json& task) { return Registry(plugin_search_path(task.at("plugin_path"))); }

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

Progress show_progress() {
  return [](std::string_view what, std::int64_t done, std::int64_t total) {
    const std::string text(what);
    if (total == 0) {
      std::fprintf(stderr, "%s\n", text.c_str());
    } else if (::isatty(STDERR_FILENO)) {
      std::fprintf(stderr, "\r%s %lld/%lld%s", text.c_str(), static_cast<long long>(done),
                   static_cast<long long>(total), done == total ? "\n" : "");
    } else if (done == total) {
      std::fprintf(stderr, "%s: done\n", text.c_str());
    }
  };
}

int plugin_info(const Json& task) {
  const Registry registry = registry_of(task);
  const std::string name = task.at("plugin");
  const bool json = task.at("json");
  bool found = false;
  Json list = Json::array();
  for (const auto& plugin : registry.plugins()) {
    if (plugin.name() != name && plugin.id() != name) continue;
    found = true;
    if (json) {
      list.push_back(to_json(plugin));
    } else {
      print(plugin);
    }
  }
  if (!found) unknown_plugin(name, registry);
  if (json) std::cout << list.dump(2) << "\n";
  return 0;
}

int plugin_validate(const Json& task) {
  Json list = Json::array();
  bool all = true;
  for (const fs::path file : task.at("files")) {
    expect_plugin_file(file);
    const Registry registry({fs::canonical(file)});
    for (const auto& plugin : registry.plugins()) {
      list.push_back(to_json(plugin));
      if (!task.at("json")) print(plugin);
    }
    for (const auto& [refused, reason] : registry.refused()) {
      all = false;
      list.push_back({{"file", refused}, {"refused", reason}});
      if (!task.at("json")) std::printf("refused %s: it %s\n", refused.c_str(), reason.c_str());
    }
  }
  if (task.at("json")) std::cout << list.dump(2) << "\n";
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
    ModelParams model;
    TrainingParams training;
    ParamList model_list, training_list;
    model.declare(model_list);
    training.declare(training_list);
    std::cout << matrix_schema(read_json(share_dir() / "schema" / "matrix.schema.json"), plugins, model_presets(),
                               model_list.describe(), training_list.describe())
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
  const auto file = prepare_data(data_named(task.at("data")), show_progress());
  std::printf("%s\n", file.c_str());
  return 0;
}

int data_list(const Json& task) {
  const bool json = task.at("json");
  Json list = Json::array(), files = Json::array();
  for (const auto& info : list_data()) {
    list.push_back({{"name", info.name},
                    {"summary", info.summary},
                    {"prepared", info.prepared},
                    {"file", info.file},
                    {"pairs", info.pairs},
                    {"held_out", info.held_out},
                    {"classes", info.classes}});
    if (json) continue;
    std::printf("%s: %s\n", info.name.c_str(), info.summary.c_str());
    if (info.prepared) {
      std::printf("  %lld pairs, %lld held-out images, %lld classes\n  %s\n", static_cast<long long>(info.pairs),
                  static_cast<long long>(info.held_out), static_cast<long long>(info.classes), info.file.c_str());
    } else {
      std::printf("  not prepared yet: roclip-bench data prepare %s\n", info.name.c_str());
    }
  }
  double bytes = 0;
  for (const auto& pack : list_packs()) {
    bytes += static_cast<double>(pack.file.bytes);
    files.push_back({{"file", pack.file.path},
                     {"bytes", pack.file.bytes},
                     {"last_used", day(pack.file.last_used)},
                     {"data", pack.data},
                     {"image_px", pack.image_px},
                     {"images", pack.images}});
  }
  if (json) {
    std::cout << Json{{"data", list}, {"files", files}}.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return 0;
  }
  std::printf("\nprepared files in %s: %s\n", cache_dir().c_str(), show_bytes(bytes).c_str());
  for (const auto& file : files) {
    std::printf("  %8s  last used %s  %s: %s (%lld images of %lld px)\n",
                show_bytes(file.at("bytes").get<double>()).c_str(), file.at("last_used").get<std::string>().c_str(),
                fs::path(file.at("file").get<std::string>()).filename().c_str(),
                file.at("data").get<std::string>().c_str(), file.at("images").get<long long>(),
                file.at("image_px").get<long long>());
  }
  if (!files.empty()) std::puts("  to delete some: roclip-bench data clean");
  return 0;
}

int data_clean(const Json& task) {
  constexpr std::int64_t kDay_s = 86400;
  const bool all = task.at("all"), dry = task.at("dry_run");
  const auto days = task.at("unused_days").get<std::int64_t>();
  double bytes = 0;
  std::int64_t count = 0;
  for (const auto& file : cached_files()) {
    const auto unused_days = (std::time(nullptr) - file.last_used) / kDay_s;
    if (!all && unused_days < days) continue;
    const auto size = static_cast<double>(file.bytes);
    const bool busy = !dry && !delete_cached(file.path);
    std::printf("%s%s: %s, last used %s\n",
                dry    ? "would delete "
                : busy ? "kept, being prepared now: "
                       : "deleted ",
                file.path.c_str(), show_bytes(size).c_str(), day(file.last_used).c_str());
    if (busy) continue;
    bytes += size;
    ++count;
  }
  std::printf("%s%lld file%s, %s\n", dry ? "would delete " : "deleted ", static_cast<long long>(count),
              count == 1 ? "" : "s", show_bytes(bytes).c_str());
  if (dry && count > 0) {
    std::printf("to delete: roclip-bench data clean %s\n",
                all ? "--all" : ("--unused-days " + std::to_string(days)).c_str());
  }
  return 0;
}

int data_show(const Json& task) {
  constexpr std::int64_t kShownPx = 64;
  const std::string png = task.at("png");
  write_contact_sheet(load_data(data_named(task.at("data")), kShownPx, show_progress()), task.at("split"),
                      task.at("count"), task.at("seed"), png);
  std::printf("%s\n", png.c_str());
  return 0;
}

}  // namespace roclip::bench
