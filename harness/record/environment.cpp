#include "harness/record/environment.h"

#include <cstdio>
#include <fstream>

#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "harness/record/build_info.h"

namespace roclip::bench {

namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace

std::string fast_blas() {
  using Text = const char* (*)();
  if (at::hasMKL()) return "MKL";
  if (const auto config = reinterpret_cast<Text>(::dlsym(RTLD_DEFAULT, "openblas_get_config"))) return config();
  return "";
}

void warn_about_slow_blas() {
  if (!fast_blas().empty()) return;
  std::fputs(
      "\nWARNING: LibTorch computes with the reference BLAS here, about 30 times slower than OpenBLAS.\n"
      "         Fix: apt-get install libopenblas0-openmp\n"
      "         (if it is installed: update-alternatives --config libblas.so.3-x86_64-linux-gnu)\n\n",
      stderr);
}

Json environment(const std::string& device) {
  utsname os{};
  ::uname(&os);
  return {{"roclip_bench", kVersion},
          {"git", kGitRevision},
          {"dirty", kGitDirty},
          {"build_type", kBuildType},
          {"compiler", kCompiler},
          {"libtorch", TORCH_VERSION},
          {"blas", fast_blas().empty() ? "reference" : fast_blas()},
          {"cpu", cpu_model()},
          {"os", std::string(os.sysname) + " " + os.release + " " + os.machine},
          {"device", device},
          {"threads", at::get_num_threads()},
          {"deterministic", device == "cpu" && at::get_num_threads() == 1}};
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
