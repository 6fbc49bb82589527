/// Tar files for readers of WebDataset: `key.png`, `key.txt` and `key.json` of each pair stand next to each other.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct archive;

namespace roclip::bench {

/// A tar file (ustar), written front to back. Holds no times, owners or anything else that differs between runs.
class TarFile {
 public:
  /// @throws Error(kData), as the other members
  explicit TarFile(std::filesystem::path file);
  ~TarFile();
  TarFile(const TarFile&) = delete;
  TarFile& operator=(const TarFile&) = delete;

  void add(const std::string& name, std::string_view content);
  void finish();

 private:
  void check(long result) const;

  std::filesystem::path file_;
  archive* archive_;
};

}  // namespace roclip::bench
