#include "harness/record/environment.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <dlfcn.h>
#include <link.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>
#include <boost/algorithm/string/trim_all.hpp>

#include "harness/record/build_info.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// The lines that begin so; none if there is no such file.
std::vector<std::string> lines_of(const fs::path& file, const std::string& front) {
  std::vector<std::string> found;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(front)) found.push_back(line);
  }
  return found;
}

/// The value of a line of /proc/cpuinfo, of the first processor.
std::string cpu_info(const std::string& key) {
  const auto lines = lines_of("/proc/cpuinfo", key);
  const auto colon = lines.empty() ? std::string::npos : lines.front().find(": ");
  return colon == std::string::npos ? "unknown" : lines.front().substr(colon + 2);
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
  const fs::path driver = "/proc/driver/nvidia";
  Json info = Json::array();
  const auto add = [&](const fs::path& file, const char* key) {
    for (const auto& line : lines_of(file, key)) {
      info.push_back(boost::trim_all_copy(line.substr(line.find(':') + 1)));  // "Model: \t\t NVIDIA H100"
    }
  };
  std::error_code none;
  for (const auto& gpu : fs::directory_iterator(driver / "gpus", none)) add(gpu.path() / "information", "Model");
  add(driver / "version", "NVRM");
  return info;
}

struct Library {
  fs::path file;
  std::string build_id;  ///< of the linker; its size where it has none
};

std::string build_id(const dl_phdr_info& info) {
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const auto& segment = info.dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto* note = reinterpret_cast<const char*>(info.dlpi_addr + segment.p_vaddr);
    for (const auto* end = note + segment.p_memsz; note + sizeof(ElfW(Nhdr)) <= end;) {
      ElfW(Nhdr) header{};
      std::memcpy(&header, note, sizeof header);
      const auto padded = [](std::size_t size) { return (size + 3) / 4 * 4; };
      const auto* name = note + sizeof header;
      const auto* content = name + padded(header.n_namesz);
      if (header.n_type == NT_GNU_BUILD_ID && std::string_view(name, header.n_namesz) == std::string_view("GNU", 4)) {
        return hash_hex({content, header.n_descsz});
      }
      note = content + padded(header.n_descsz);
    }
  }
  std::error_code none;
  return std::to_string(fs::file_size(info.dlpi_name, none));
}

/// Reads no file: LibTorch has hundreds of megabytes.
std::vector<Library> libraries() {
  std::vector<Library> result;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* libraries) {
        if (info->dlpi_name != nullptr && info->dlpi_name[0] == '/') {
          static_cast<std::vector<Library>*>(libraries)->push_back({info->dlpi_name, build_id(*info)});
        }
        return 0;
      },
      &result);
  std::ranges::sort(result, {}, [](const Library& library) { return library.file.filename(); });
  return result;
}

std::map<std::string, std::string> look() {
  constexpr std::array kNumbers = {"libtorch", "libc10", "blas", "mkl"};
  std::map<std::string, std::string> code = {{"roclip-bench-engine", hash_file("/proc/self/exe")}};
  if (const auto program = program_dir() / "roclip-bench"; fs::exists(program)) {
    code["roclip-bench"] = hash_file(program);
  }
  std::string torch = TORCH_VERSION;
  for (const auto& [file, id] : libraries()) {
    const auto name = file.filename().string();
    if (name.starts_with("libroclip_sdk")) code["libroclip_sdk"] = hash_file(file);
    const auto in_name = [&](std::string_view part) { return name.find(part) != std::string::npos; };
    if (std::ranges::any_of(kNumbers, in_name)) torch += "\n" + name + " " + id;
  }
  code["LibTorch"] = TORCH_VERSION + (" " + hash_hex(torch).substr(0, 16));
  return code;
}

}  // namespace

std::string torch_library() {
  Dl_info found{};
  if (::dladdr(reinterpret_cast<void*>(&at::set_num_threads), &found) == 0) return "unknown";
  return fs::weakly_canonical(found.dli_fname).string();
}

void load_gpu_support() {
  const auto library = fs::path(torch_library()).parent_path() / "libtorch_cuda.so";
  const bool has_gpu =
      fs::exists("/proc/driver/nvidia/gpus") || fs::exists("/dev/nvidiactl");  // the latter in sandboxes
  if (!has_gpu || !fs::exists(library)) return;
  if (::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return;
  std::fprintf(stderr,
               "WARNING: LibTorch cannot use this machine's GPU: %s\n"
               "         Fix: install the Python package torch with all that it depends on.\n",
               ::dlerror());
}

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
  return {
      {"roclip_bench", kVersion},
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
      {"cudnn", at::globalContext().hasCuDNN() ? Json(at::globalContext().versionCuDNN()) : Json()},
      {"tf32", !device.is_cpu() && at::globalContext().allowTF32CuBLAS()},
      {"deterministic", device.is_cpu() ? at::get_num_threads() == 1 : at::globalContext().deterministicAlgorithms()}};
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

const std::map<std::string, std::string>& loaded_code() {
  static const auto code = look();
  return code;
}

}  // namespace roclip::bench
