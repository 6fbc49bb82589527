/// What a number depends on besides its configuration and plugins: recorded, never hashed. And LibTorch as it is
/// loaded.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <torch/types.h>
#include <nlohmann/json.hpp>

namespace roclip::bench {

using Json = nlohmann::json;

/// {"roclip_bench", "git", "dirty", "build_type", "compiler", "libtorch", "blas", "cpu", "cpu_flags", "gpu", "os",
///  "threads", "cudnn" version or null, "tf32", "deterministic", "device", "command"}; cpu_flags are those that choose
///  LibTorch's kernels.
Json environment(torch::Device device, const std::vector<std::string>& command_line);

/// "roclip-bench", "roclip-bench-engine", "libroclip_sdk" and "LibTorch" -> a hash of the build: of the files for ours;
/// for LibTorch, of its version and of the build ids of its libraries and of the BLAS. Found out once in a process.
const std::map<std::string, std::string>& loaded_code();

/// The file of libtorch_cpu.so that this process has loaded.
std::string torch_library();

/// Loads LibTorch's part for GPUs where there are one and the other. The program is not linked to it, so that it starts
/// where the CUDA libraries that a wheel needs are not installed.
void load_gpu_support();

/// Name of the BLAS in use ("OpenBLAS 0.3.21 ..."), or "" when it is the slow reference implementation.
std::string fast_blas();

/// A loud warning with the fix when fast_blas() is empty, else "".
std::string slow_blas_warning();

/// Highest resident memory of this process so far, in MiB.
double peak_memory_mib();
/// User and system time of this process so far, in seconds.
double cpu_time_s();

}  // namespace roclip::bench
