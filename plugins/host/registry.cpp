#include "registry.h"

#include <algorithm>

#include <boost/dll/shared_library.hpp>

#include "roclip/attack.h"
#include "roclip/defense.h"
#include "roclip/error.h"
#include "roclip/metric.h"

namespace roclip {

namespace fs = std::filesystem;

std::string PluginInfo::name() const {
  const std::string full = id();
  return full.substr(0, full.find('/'));
}

std::string_view to_string(PluginKind kind) {
  switch (kind) {
    case PluginKind::kAttack:
      return "attack";
    case PluginKind::kDefense:
      return "defense";
    case PluginKind::kMetric:
      return "metric";
  }
  return "unknown";
}

Registry::Registry(const std::vector<fs::path>& folders) {
  for (const auto& folder : folders) {
    for (const auto& file : plugin_files(folder)) load(file);
  }
}

void Registry::load(const fs::path& file) {
  const auto refuse = [&](const std::string& reason) { refused_.push_back({file, reason}); };
  if (const auto defect = library_defect(file); !defect.empty()) return refuse(defect);
  // A stamp that does not fit spares loading a library whose static objects may already crash this program.
  if (const auto stamp = read_stamp(file)) {
    if (const auto reason = refusal(*stamp); !reason.empty()) return refuse(reason);
  }
  boost::dll::fs::error_code error;
  // Kept for the life of the process: objects and exceptions of the plugin must not outlive its code.
  auto* library = new boost::dll::shared_library();
  library->load(file.string(), error, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  if (error) {
    // The dynamic linker's own words: often an undefined symbol, that is, another build.
    try {
      library->load(file.string(), boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    } catch (const std::exception& e) {
      delete library;
      return refuse(std::string("cannot be loaded: ") + e.what());
    }
  }
  if (!library->has(kPluginSymbol)) {
    return refuse(
        "exports no symbol \"roclip_plugin\"; use ROCLIP_ATTACK, ROCLIP_DEFENSE or ROCLIP_METRIC in a source");
  }
  const auto& descriptor = library->get<const PluginDescriptor>(kPluginSymbol);
  // The build id may be read only where the ABI number says where it stands.
  const bool same_abi = descriptor.abi == kAbi;
  const auto reason = mismatch(descriptor.abi, same_abi ? descriptor.build_id : "");
  if (!reason.empty()) return refuse(reason);
  PluginInfo info{&descriptor, file};
  for (const auto& known : plugins_) {
    if (known.descriptor->kind == descriptor.kind && known.name() == info.name()) {
      if (known.descriptor == &descriptor) return;  // the same file by another path
      return refuse("is shadowed by " + known.file.string() + ", found earlier on the search path");
    }
  }
  plugins_.push_back(std::move(info));
}

const RefusedPlugin* Registry::refused(PluginKind kind, std::string_view name) const {
  const bool known = std::ranges::any_of(plugins_, [&](const PluginInfo& plugin) {
    return plugin.descriptor->kind == kind && (plugin.name() == name || plugin.id() == name);
  });
  const auto refused = std::ranges::find_if(refused_, [&](const RefusedPlugin& r) { return r.file.stem() == name; });
  return known || refused == refused_.end() ? nullptr : &*refused;
}

const PluginInfo& Registry::find(PluginKind kind, std::string_view name, const std::string& where) const {
  std::vector<std::string> names;
  std::string known;
  for (const auto& plugin : plugins_) {
    if (plugin.descriptor->kind != kind) continue;
    if (plugin.name() == name || plugin.id() == name) return plugin;
    names.push_back(plugin.name());
    known += (known.empty() ? "" : ", ") + plugin.id();
  }
  std::string message = where + ": unknown " + std::string(to_string(kind)) + " \"" + std::string(name) + "\"";
  message += did_you_mean(name, names) + " (found: " + (known.empty() ? "none" : known) +
             "); for one of your own, give its folder: --plugin-path";
  throw Error(ErrorKind::kPlugin, message);
}

std::unique_ptr<Attack> Registry::make_attack(std::string_view name, const Json& params) const {
  return std::unique_ptr<Attack>(find(PluginKind::kAttack, name, "attack").descriptor->make_attack(params));
}
std::unique_ptr<Defense> Registry::make_defense(std::string_view name, const Json& params) const {
  return std::unique_ptr<Defense>(find(PluginKind::kDefense, name, "defense").descriptor->make_defense(params));
}
std::unique_ptr<Metric> Registry::make_metric(std::string_view name, const Json& params) const {
  return std::unique_ptr<Metric>(find(PluginKind::kMetric, name, "metric").descriptor->make_metric(params));
}

}  // namespace roclip
