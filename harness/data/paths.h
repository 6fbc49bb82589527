/// Where the program finds the files that it is shipped with.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace roclip::bench {

/// Folder of the shipped data files: $ROCLIP_BENCH_SHARE, else ../share/roclip-bench from the folder of the program,
/// in the build tree as in the install tree.
inline std::filesystem::path share_dir() {
  if (const char* folder = std::getenv("ROCLIP_BENCH_SHARE")) return folder;
  return std::filesystem::canonical("/proc/self/exe").parent_path().parent_path() / "share" / "roclip-bench";
}

}  // namespace roclip::bench
