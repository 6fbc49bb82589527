#include "harness/engine/commands.h"

#include <cstdio>
#include <iostream>

#include <unistd.h>

#include "harness/config/matrix.h"
#include "harness/data/data.h"
#include "registry.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

Json to_json(const PluginInfo& plugin) {
  return {{"kind", to_string(plugin.descriptor->kind)},
          {"id", plugin.id()},
          {"summary", plugin.descriptor->summary},
          {"file", plugin.file},
          {"abi", plugin.descriptor->abi},
          {"build", plugin.descriptor->build_id},
          {"parameters", plugin.descriptor->describe()}};
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

/// The data that `text` names: a data set of ours, or that of a matrix file.
Json data_named(const std::string& text) {
  if (text.ends_with(".json")) {
    const Matrix matrix = load_matrix(text);
    return effective_data(matrix.data, matrix.file.parent_path(), matrix.where("/data"));
  }
  return effective_data(text, ".", "data");
}

/// Lines about the preparation of data, on stderr.
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

Registry registry_of(const Json& task) { return Registry(plugin_search_path(task.at("plugin_path"))); }

}  // namespace

int plugin_list(const Json& task) {
  const Registry registry = registry_of(task);
  if (task.at("json")) {
    Json plugins = Json::array(), refused = Json::array();
    for (const auto& plugin : registry.plugins()) plugins.push_back(to_json(plugin));
    for (const auto& [file, reason] : registry.refused()) refused.push_back({{"file", file}, {"reason", reason}});
    std::cout << Json{{"plugins", plugins}, {"refused", refused}}.dump(2) << "\n";
    return 0;
  }
  for (const auto& plugin : registry.plugins()) {
    std::printf("%-8s %-18s %s\n", std::string(to_string(plugin.descriptor->kind)).c_str(), plugin.descriptor->id,
                plugin.descriptor->summary);
  }
  for (const auto& [file, reason] : registry.refused())
    std::printf("refused  %s: it %s\n", file.c_str(), reason.c_str());
  return 0;
}

int plugin_info(const Json& task) {
  const Registry registry = registry_of(task);
  const std::string name = task.at("plugin");
  const bool json = task.at("json");
  std::vector<std::string> names;
  bool found = false;
  Json list = Json::array();
  for (const auto& plugin : registry.plugins()) {
    names.push_back(plugin.name());
    if (plugin.name() != name && plugin.id() != name) continue;
    found = true;
    if (json) {
      list.push_back(to_json(plugin));
    } else {
      print(plugin);
    }
  }
  if (!found) {
    throw Error(ErrorKind::kPlugin, "unknown plugin \"" + name + "\"" + did_you_mean(name, names) +
                                        "; `roclip-bench plugin list` shows all");
  }
  if (json) std::cout << list.dump(2) << "\n";
  return 0;
}

int data_prepare(const Json& task) {
  const auto file = prepare_data(data_named(task.at("data")), show_progress());
  std::printf("%s\n", file.c_str());
  return 0;
}

int data_list(const Json& task) {
  const bool json = task.at("json");
  Json list = Json::array();
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
  if (json) std::cout << list.dump(2) << "\n";
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
