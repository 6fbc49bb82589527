/// One run at a time in an output folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "harness/record/signals.h"

namespace roclip::bench {

/// Held by a process as long as it lives: the kernel lets go of it however the process ends, so a lock is never stale.
class FolderLock {
 public:
  /// @throws Error(kData) that says who holds it
  explicit FolderLock(const std::filesystem::path& folder);

  /// The process that holds the lock of a folder, as it wrote it down: "process 4711 on host"; none if nobody does.
  static std::optional<std::string> holder(const std::filesystem::path& folder);

 private:
  Descriptor descriptor_;
};

}  // namespace roclip::bench
