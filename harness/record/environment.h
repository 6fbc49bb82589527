/// What a number depends on besides its configuration: recorded, never hashed.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace roclip::bench {

using Json = nlohmann::json;

/// {"roclip_bench", "git", "dirty", "build_type", "compiler", "libtorch", "blas", "cpu", "os", "threads",
///  "deterministic", "device"}
Json environment(const std::string& device);

/// Name of the BLAS in use ("OpenBLAS 0.3.21 ..."), or "" when it is the slow reference implementation.
std::string fast_blas();

/// Prints a loud warning with the fix to stderr when fast_blas() is empty: every matrix product is then about 30 times
/// slower.
void warn_about_slow_blas();

/// Highest resident memory of this process so far, in MiB.
double peak_memory_mib();
/// User and system time of this process so far, in seconds.
double cpu_time_s();

}  // namespace roclip::bench
