#include "harness/record/loaded_code.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include <link.h>

#include <torch/version.h>

#include "harness/record/hash.h"
#include "harness/record/paths.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

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

const std::map<std::string, std::string>& loaded_code() {
  static const auto code = look();
  return code;
}

}  // namespace roclip::bench
