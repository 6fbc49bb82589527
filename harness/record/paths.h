/// Where the program finds the files that it is shipped with, and where it keeps those that it makes.
#pragma once

#include <cstdlib>
#include <filesystem>

#include "roclip/error.h"

namespace roclip::bench {

/// The folder that an environment variable names; "" if it is not set.
inline std::filesystem::path folder_variable(const char* name) {
  const char* folder = std::getenv(name);
  return folder == nullptr ? "" : folder;
}

/// Folder of the running program.
inline std::filesystem::path program_dir() { return std::filesystem::canonical("/proc/self/exe").parent_path(); }

/// Folder of the shipped data files: $ROCLIP_BENCH_SHARE, else ../share/roclip-bench from the folder of the program,
/// in the build tree as in the install tree.
inline std::filesystem::path share_dir() {
  if (const auto folder = folder_variable("ROCLIP_BENCH_SHARE"); !folder.empty()) return folder;
  return program_dir().parent_path() / "share" / "roclip-bench";
}

/// $ROCLIP_BENCH_CACHE, else $XDG_CACHE_HOME/roclip-bench, else ~/.cache/roclip-bench. An empty variable counts as
/// unset, and so does a relative XDG_CACHE_HOME, as its specification asks. @throws Error(kData)
inline std::filesystem::path cache_dir() {
  if (const auto folder = folder_variable("ROCLIP_BENCH_CACHE"); !folder.empty()) return folder;
  if (const auto folder = folder_variable("XDG_CACHE_HOME"); folder.is_absolute()) return folder / "roclip-bench";
  if (const auto home = folder_variable("HOME"); home.is_absolute()) return home / ".cache" / "roclip-bench";
  throw Error(ErrorKind::kData, "there is no folder for the cache: HOME is not set; set HOME or ROCLIP_BENCH_CACHE");
}

}  // namespace roclip::bench
