/// Where the program finds the files that it is shipped with, and keeps those that it makes.
#pragma once

#include <cstdlib>
#include <filesystem>

#include "roclip/error.h"

namespace roclip::bench {

/// Folder of the running program.
inline std::filesystem::path program_dir() { return std::filesystem::canonical("/proc/self/exe").parent_path(); }

/// Folder of the shipped data files: $ROCLIP_BENCH_SHARE, else ../share/roclip-bench from the folder of the program,
/// in the build tree as in the install tree.
inline std::filesystem::path share_dir() {
  if (const char* folder = std::getenv("ROCLIP_BENCH_SHARE")) return folder;
  return program_dir().parent_path() / "share" / "roclip-bench";
}

/// $ROCLIP_BENCH_CACHE, else $XDG_CACHE_HOME/roclip-bench, else ~/.cache/roclip-bench. @throws Error(kData)
inline std::filesystem::path cache_dir() {
  if (const char* folder = std::getenv("ROCLIP_BENCH_CACHE")) return folder;
  if (const char* folder = std::getenv("XDG_CACHE_HOME")) return std::filesystem::path(folder) / "roclip-bench";
  const char* home = std::getenv("HOME");
  if (home == nullptr) throw Error(ErrorKind::kData, "no cache folder: set HOME or ROCLIP_BENCH_CACHE");
  return std::filesystem::path(home) / ".cache" / "roclip-bench";
}

}  // namespace roclip::bench
