/// Finds plugins on disk, refuses those of another ABI with a reason, and makes their objects. The only user of
/// Boost.DLL. Not thread-safe while scanning; making objects afterwards is.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "roclip/plugin.h"
#include "stamps.h"

namespace roclip {

/// A library that passed the handshake. Loaded for the life of the process.
struct PluginInfo {
  const PluginDescriptor* descriptor;
  std::filesystem::path file;

  std::string id() const { return descriptor->id; }  ///< "badnets/1"
  std::string name() const;                          ///< "badnets"
};

/// A library that did not, and why, in words for a person.
struct RefusedPlugin {
  std::filesystem::path file;
  std::string reason;
};

std::string_view to_string(PluginKind kind);

class Registry {
 public:
  /// Loads every *.so below the folders, in order; of two plugins with the same kind and name, the first one wins and
  /// the other is refused. A folder that does not exist is an error.
  /// @throws Error(kPlugin)
  explicit Registry(const std::vector<std::filesystem::path>& folders);

  const std::vector<PluginInfo>& plugins() const { return plugins_; }
  const std::vector<RefusedPlugin>& refused() const { return refused_; }

  /// The refused library that is meant by this name: its file is <name>.so and no plugin of this kind has the name.
  /// @return null if there is none
  const RefusedPlugin* refused(PluginKind kind, std::string_view name) const;

  /// @param name "badnets" or "badnets/1". @throws Error(kPlugin) with the nearest name, or why it was refused.
  const PluginInfo& find(PluginKind kind, std::string_view name, const std::string& where) const;

  /// @throws Error(kMatrix) for bad parameters, and whatever the plugin throws.
  std::unique_ptr<Attack> make_attack(std::string_view name, const Json& params) const;
  std::unique_ptr<Defense> make_defense(std::string_view name, const Json& params) const;
  std::unique_ptr<Metric> make_metric(std::string_view name, const Json& params) const;

 private:
  void load(const std::filesystem::path& file);

  std::vector<PluginInfo> plugins_;
  std::vector<RefusedPlugin> refused_;
};

}  // namespace roclip
