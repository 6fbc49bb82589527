#include "stamps.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include <dlfcn.h>
#include <elf.h>

#include "roclip/error.h"
#include "roclip/plugin.h"

namespace roclip {

namespace fs = std::filesystem;

namespace {

#if defined(__aarch64__)
constexpr int kMachine = EM_AARCH64;
#else
constexpr int kMachine = EM_X86_64;
#endif

/// Parts of a build id in words for a person.
const std::map<std::string, std::string, std::less<>> kPartNames = {{"torch", "LibTorch"},
                                                                    {"cuda", "LibTorch for CUDA"},
                                                                    {"gxx-abi", "compiler ABI"},
                                                                    {"cxx11-abi", "_GLIBCXX_USE_CXX11_ABI"},
                                                                    {"json", "nlohmann/json"}};

/// "torch-1.13.1/json-3.11" -> {"torch": "1.13.1", "json": "3.11"}
std::map<std::string, std::string> parts_of(std::string_view build) {
  std::map<std::string, std::string> parts;
  while (!build.empty()) {
    const auto part = build.substr(0, build.find('/'));
    const auto dash = part.rfind('-');
    if (dash == std::string_view::npos) {
      parts[std::string(part)] = "";
    } else {
      parts[std::string(part.substr(0, dash))] = part.substr(dash + 1);
    }
    build.remove_prefix(std::min(part.size() + 1, build.size()));
  }
  return parts;
}

/// A sanitizer's library among the strings of a library: "libasan.so.8". Those of other sanitizers need not come first.
std::string sanitizer_in(const std::string& content) {
  for (const std::string_view name : {"asan", "tsan"}) {
    const std::string begin = std::string(1, '\0').append("lib").append(name).append(".so.");
    const auto at = content.find(begin);
    if (at == std::string::npos) continue;
    const std::string library = content.c_str() + at + 1;
    if (library.find_first_not_of("0123456789.", begin.size() - 1) == std::string::npos) return library;
  }
  return "";
}

}  // namespace

std::string library_defect(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return "is no regular file";
  std::ifstream in(file, std::ios::binary);
  Elf64_Ehdr header{};
  in.read(reinterpret_cast<char*>(&header), sizeof header);
  if (std::string_view(reinterpret_cast<const char*>(header.e_ident), SELFMAG) != ELFMAG) return "is no shared library";
  if (in && (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kMachine)) {
    return "was built for another processor (ELF machine " + std::to_string(header.e_machine) + ", this program " +
           std::to_string(kMachine) + "); build it on this one";
  }
  std::uint64_t end = header.e_shoff + std::uint64_t{header.e_shnum} * header.e_shentsize;
  in.seekg(static_cast<std::streamoff>(header.e_phoff));
  for (int i = 0; in && i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    in.read(reinterpret_cast<char*>(&segment), sizeof segment);
    end = std::max(end, segment.p_offset + segment.p_filesz);
  }
  const auto size = fs::file_size(file, error);
  if (in && end <= size) return "";
  return "is cut off: it has " + std::to_string(size) + " bytes of " + (in ? std::to_string(end) : "more") +
         "; copy or build it again";
}

void expect_plugin_file(const fs::path& file) {
  std::error_code error;
  if (fs::is_regular_file(file, error)) return;
  throw Error(ErrorKind::kPlugin, file.string() + ": " +
                                      (fs::is_directory(file, error) ? "is a folder"
                                       : !fs::exists(file, error)    ? "no such file"
                                                                     : "is no regular file") +
                                      "; expected the file of a plugin, <name>.so");
}

std::optional<Stamp> read_stamp(const fs::path& file) {
  constexpr std::string_view kMark = ROCLIP_STAMP_MARK;
  if (!library_defect(file).empty()) return std::nullopt;
  std::ifstream in(file, std::ios::binary);
  std::ostringstream buffer;
  buffer << in.rdbuf();
  const std::string content = std::move(buffer).str();
  const auto at = content.find(kMark);
  if (at == std::string::npos) return std::nullopt;
  const auto begin = at + kMark.size();
  const auto end = content.find('\0', begin);
  if (end == std::string::npos) return std::nullopt;
  std::istringstream lines(content.substr(begin, end - begin));
  Stamp stamp;
  stamp.sanitizer = sanitizer_in(content);
  for (std::string key, value; lines >> key && std::getline(lines >> std::ws, value);) {
    if (key == "abi") std::from_chars(value.data(), value.data() + value.size(), stamp.abi);
    if (key == "build") stamp.build = value;
    if (key == "kind" && value == "kAttack") stamp.kind = "attack";
    if (key == "kind" && value == "kDefense") stamp.kind = "defense";
    if (key == "kind" && value == "kMetric") stamp.kind = "metric";
    if (key == "id") stamp.id = value;
    if (key == "summary") stamp.summary = value;
  }
  return stamp;
}

std::string mismatch(std::uint32_t abi, std::string_view build) {
  std::string text;
  if (abi != kAbi) text = "has plugin ABI " + std::to_string(abi) + ", this program has " + std::to_string(kAbi);
  if (build != kBuildId && abi == kAbi) {
    const auto theirs = parts_of(build), ours = parts_of(kBuildId);
    for (const auto& [part, version] : ours) {
      const auto found = theirs.find(part);
      const std::string other = found == theirs.end() ? "another" : found->second;
      if (other == version) continue;
      const auto name = kPartNames.find(part);
      text += (text.empty() ? "was built with " : "; with ") + (name == kPartNames.end() ? part : name->second) + " " +
              other + ", this program with " + version;
    }
    if (text.empty()) text.append("was built as ").append(build).append(", this program as ").append(kBuildId);
  }
  return text.empty() ? text : text + "; rebuild it against the headers of this program";
}

std::string needs_sanitizer(const Stamp& stamp) {
  if (stamp.sanitizer.empty() || is_loaded(stamp.sanitizer)) return "";
  return "was built with a sanitizer, whose " + stamp.sanitizer +
         " must be loaded first: `roclip-bench plugin test` does so, for all else build it without";
}

std::string refusal(const Stamp& stamp) {
  const auto reason = mismatch(stamp.abi, stamp.build);
  return reason.empty() ? needs_sanitizer(stamp) : reason;
}

bool is_loaded(const std::string& name) {
  void* library = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library != nullptr) ::dlclose(library);
  return library != nullptr;
}

std::vector<fs::path> plugin_search_path(const std::vector<fs::path>& first) {
  std::vector<fs::path> folders = first;
  if (const char* variable = std::getenv("ROCLIP_BENCH_PLUGIN_PATH")) {
    std::string_view rest = variable;
    while (!rest.empty()) {
      const auto colon = std::min(rest.find(':'), rest.size());
      if (colon > 0) folders.emplace_back(rest.substr(0, colon));
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
  }
  const auto prefix = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  std::vector<fs::path> prefixes = {prefix};
  if (prefix == "/usr") prefixes.insert(prefixes.begin(), "/usr/local");  // where `cmake --install` of a plugin goes
  for (const auto& place : prefixes) {
    if (const auto plugins = place / "lib/roclip-bench/plugins"; fs::is_directory(plugins)) folders.push_back(plugins);
  }
  return folders;
}

std::vector<fs::path> plugin_files(const fs::path& folder) {
  std::error_code error;
  if (fs::is_regular_file(folder, error)) return {folder};
  if (!fs::is_directory(folder, error)) {
    throw Error(ErrorKind::kPlugin, folder.string() + ": expected a folder of plugins; no such folder");
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
    if (entry.path().extension() == ".so") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::vector<StampedPlugin> stamped_plugins(const std::vector<fs::path>& folders) {
  std::vector<StampedPlugin> plugins;
  for (const auto& folder : folders) {
    for (const auto& file : plugin_files(folder)) {
      StampedPlugin plugin{file, {}, ""};
      const auto same = [&](const StampedPlugin& other) {
        return other.refused.empty() && other.stamp.kind == plugin.stamp.kind &&
               other.stamp.name() == plugin.stamp.name();
      };
      plugin.refused = library_defect(file);
      if (const auto stamp = read_stamp(file)) {
        plugin.stamp = *stamp;
        plugin.refused = refusal(*stamp);
        const auto earlier = plugin.refused.empty() ? std::ranges::find_if(plugins, same) : plugins.end();
        if (earlier != plugins.end()) {
          if (fs::equivalent(earlier->file, file)) continue;
          plugin.refused = "is shadowed by " + earlier->file.string() + ", found earlier on the search path";
        }
      } else if (plugin.refused.empty()) {
        plugin.refused = "has no stamp of a plugin; use ROCLIP_ATTACK, ROCLIP_DEFENSE or ROCLIP_METRIC in a source";
      }
      plugins.push_back(std::move(plugin));
    }
  }
  return plugins;
}

}  // namespace roclip
