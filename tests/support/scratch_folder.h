#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace roclip::bench {

/// An empty folder for the length of a test, which is also the cache of data sets.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "roclip-bench-XXXXXX").string();
    path_ = mkdtemp(name.data());
    setenv("ROCLIP_BENCH_CACHE", (path_ / "cache").c_str(), 1);
  }
  ~ScratchFolder() {
    unsetenv("ROCLIP_BENCH_CACHE");
    std::filesystem::remove_all(path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  /// Writes a file, with its folders. @return its path.
  std::filesystem::path write(const std::string& name, std::string_view content) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace roclip::bench
