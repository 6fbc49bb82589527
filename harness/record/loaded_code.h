/// Which code computes in this process, besides plugins.
#pragma once

#include <map>
#include <string>

namespace roclip::bench {

/// "roclip-bench", "roclip-bench-engine", "libroclip_sdk" and "LibTorch" -> a hash of the build: of the files for ours;
/// for LibTorch, of its version and of the build ids of its libraries and of the BLAS. Found out once in a process.
const std::map<std::string, std::string>& loaded_code();

}  // namespace roclip::bench
