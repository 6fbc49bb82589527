/// What can be known of plugins without running any of their code: where they are, and the stamps in their files.
/// Needs neither LibTorch nor Boost. [any thread]
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roclip {

/// What ROCLIP_ATTACK and its siblings leave in a library's file.
struct Stamp {
  std::uint32_t abi = 0;
  std::string build;    ///< ROCLIP_BUILD_ID of its compilation
  std::string kind;     ///< "attack", "defense", "metric"
  std::string id;       ///< "badnets/1"
  std::string summary;  ///< one line

  /// Library of a sanitizer that it is linked with and that must be in a process before all others: "libtsan.so.2";
  /// "" = none. It is found among the strings of the library, not in its stamp.
  std::string sanitizer;

  std::string name() const { return id.substr(0, id.find('/')); }
};

/// Why a file cannot be a library of this machine; "" if it may be one: a folder or a pipe, no ELF, made for another
/// processor, or cut off, as while it is copied: the dynamic linker would end this process with a bus error.
std::string library_defect(const std::filesystem::path& file);

/// @throws Error(kPlugin) unless this is a regular file, for one that a user names
void expect_plugin_file(const std::filesystem::path& file);

/// @return none if the file cannot be read, or has no stamp: no plugin, or one from before there were stamps.
std::optional<Stamp> read_stamp(const std::filesystem::path& file);

/// What differs between a plugin and this program, and what to do; "" when they fit: "has plugin ABI 2, this program
/// has 3; rebuild it".
std::string mismatch(std::uint32_t abi, std::string_view build);

/// Which sanitizer a plugin needs that this process has not loaded, and what to do; "" if none.
std::string needs_sanitizer(const Stamp& stamp);

/// Why this process cannot load a plugin, and what to do: mismatch(), else needs_sanitizer(); "" if it can.
std::string refusal(const Stamp& stamp);

/// Whether this process has loaded that library. @param name as in Stamp::sanitizer
bool is_loaded(const std::string& name);

/// Where plugins are looked for: `first` (the command line), then ROCLIP_BENCH_PLUGIN_PATH (colon-separated), then
/// the folder that belongs to this program, ../lib/roclip-bench/plugins from its own; before it, for a program in /usr,
/// that of /usr/local.
std::vector<std::filesystem::path> plugin_search_path(const std::vector<std::filesystem::path>& first);

/// Every *.so below a folder, sorted; or the one file that is given instead. @throws Error(kPlugin) if there is no such
/// folder
std::vector<std::filesystem::path> plugin_files(const std::filesystem::path& folder);

/// A library on the search path that fits this program, as far as its stamp tells; or the reason why not.
struct StampedPlugin {
  std::filesystem::path file;
  Stamp stamp;
  std::string refused;  ///< "" = fits
};
/// In the order of the search path; of two of one kind and name, the second is refused as shadowed.
std::vector<StampedPlugin> stamped_plugins(const std::vector<std::filesystem::path>& folders);

}  // namespace roclip
