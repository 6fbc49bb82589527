#include "harness/record/torch_compat.h"

#include <cstdio>
#include <filesystem>

#include <dlfcn.h>

#include <torch/utils.h>

namespace roclip::bench {

std::string torch_library() {
  Dl_info found{};
  if (::dladdr(reinterpret_cast<void*>(&at::set_num_threads), &found) == 0) return "unknown";
  return std::filesystem::weakly_canonical(found.dli_fname).string();
}

void load_gpu_support() {
  const auto library = std::filesystem::path(torch_library()).parent_path() / "libtorch_cuda.so";
  if (!std::filesystem::exists("/proc/driver/nvidia/gpus") || !std::filesystem::exists(library)) return;
  if (::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return;
  std::fprintf(stderr,
               "WARNING: LibTorch cannot use this machine's GPU: %s\n"
               "         Fix: install the Python package torch with all that it depends on.\n",
               ::dlerror());
}

}  // namespace roclip::bench
