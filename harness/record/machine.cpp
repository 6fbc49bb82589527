#include "harness/record/machine.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

#include <sched.h>
#include <unistd.h>

#include <boost/algorithm/string.hpp>

#include "roclip/error.h"

namespace roclip::bench {

double machine_memory_mib() {
  double mib = std::numeric_limits<double>::infinity();
  std::ifstream info("/proc/meminfo");
  std::string key;
  double kib = 0;
  if (info >> key >> kib && key == "MemTotal:") mib = kib / 1024;
  double bytes = 0;
  if (std::ifstream limit("/sys/fs/cgroup/memory.max"); limit >> bytes) mib = std::min(mib, bytes / 1048576);
  return mib;
}

double resident_mib(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  std::int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return static_cast<double>(resident * ::sysconf(_SC_PAGESIZE)) / 1048576;
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

std::string sole_gpu(const char* visible, std::size_t index) {
  if (visible == nullptr) return std::to_string(index);
  std::vector<std::string> gpus;
  boost::split(gpus, visible, boost::is_any_of(","));
  if (index < gpus.size() && !gpus[index].empty()) return gpus[index];
  throw Error(ErrorKind::kUsage, "there is no GPU " + std::to_string(index) + " in CUDA_VISIBLE_DEVICES=" + visible);
}

bool prepare_blas() {
  bool changed = false;
  const auto set = [&](const char* name, const char* value, bool overwrite) {
    const char* now = std::getenv(name);
    if (now != nullptr && (!overwrite || std::string(now) == value)) return;
    ::setenv(name, value, 1);
    changed = true;
  };
  set("OMP_NUM_THREADS", "1", true);
  set("OPENBLAS_NUM_THREADS", "1", true);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) {
    set("OPENBLAS_CORETYPE", "SkylakeX", false);
  } else if (__builtin_cpu_supports("x86-64-v3")) {
    set("OPENBLAS_CORETYPE", "Haswell", false);
  }
#endif
  return changed;
}

}  // namespace roclip::bench
