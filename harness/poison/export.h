/// A whole poisoned data set in the layouts of other programs, so that others train on the same poisons.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "harness/poison/poison_set.h"
#include "harness/record/progress.h"

struct archive;  // of libarchive

namespace roclip::bench {

/// Writes the training pairs (in the order in which a cell meets them: the place of a poison says nothing), the
/// held-out images, and the targets or the triggered images; results/README.md lists the files. Equal sets give
/// equal bytes.
/// @param format "csv" (CSV and PNG files) or "webdataset" (tar shards)
/// @throws Error(kUsage) for another format, Error(kData) if `folder` is there and not empty or cannot be written
void export_poison_set(const PoisonSet& set, const std::string& format, const std::filesystem::path& folder,
                       const Progress& progress);

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
