#include "harness/record/environment.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "harness/record/build_info.h"

namespace roclip::bench {

namespace {

/// The value of a line of /proc/cpuinfo, of the first processor.
std::string cpu_info(const std::string& key) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (line.rfind(key, 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

/// The flags that decide which kernels LibTorch and the BLAS take.
Json cpu_flags() {
  Json found = Json::array();
  std::istringstream flags(cpu_info("flags"));
  for (std::string flag; flags >> flag;) {
    if (flag == "fma" || flag == "avx2" || flag.rfind("avx512", 0) == 0 || flag.rfind("amx", 0) == 0) {
      found.push_back(flag);
    }
  }
  return found;
}

/// The models of all GPUs and the driver, as the driver tells them; null on the CPU.
Json gpu_info(torch::Device device) {
  if (device.is_cpu()) return nullptr;
  const std::filesystem::path driver = "/proc/driver/nvidia";
  Json info = Json::array();
  std::error_code none;
  const auto add = [&](const std::filesystem::path& file, const std::string& key) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind(key, 0) == 0) info.push_back(line);
    }
  };
  for (const auto& gpu : std::filesystem::directory_iterator(driver / "gpus", none)) {
    add(gpu.path() / "information", "Model");
  }
  add(driver / "version", "NVRM");
  return info;
}

}  // namespace

std::string fast_blas() {
  using Text = const char* (*)();
  if (at::hasMKL()) return "MKL";
  if (const auto config = reinterpret_cast<Text>(::dlsym(RTLD_DEFAULT, "openblas_get_config"))) return config();
  return "";
}

std::string slow_blas_warning() {
  if (!fast_blas().empty()) return "";
  return "WARNING: LibTorch computes with the reference BLAS here, about 30 times slower than OpenBLAS.\n"
         "         Fix: apt-get install libopenblas0-openmp\n"
         "         (if it is installed: update-alternatives --config libblas.so.3-x86_64-linux-gnu)";
}

Json environment(torch::Device device, const std::vector<std::string>& command_line) {
  utsname os{};
  ::uname(&os);
  return {{"roclip_bench", kVersion},
          {"git", kGitRevision},
          {"dirty", kGitDirty},
          {"build_type", kBuildType},
          {"compiler", kCompiler},
          {"libtorch", TORCH_VERSION},
          {"libtorch_cuda", ROCLIP_TORCH_CUDA},
          {"blas", fast_blas().empty() ? "reference" : fast_blas()},
          {"cpu", cpu_info("model name")},
          {"cpu_flags", cpu_flags()},
          {"gpu", gpu_info(device)},
          {"os", std::string(os.sysname) + " " + os.release + " " + os.machine},
          {"device", device.str()},
          {"command", command_line},
          {"threads", at::get_num_threads()},
          {"deterministic", device.is_cpu() && at::get_num_threads() == 1}};
}

double peak_memory_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double cpu_time_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace roclip::bench
