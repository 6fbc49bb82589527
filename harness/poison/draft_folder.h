/// A folder that is there when it is complete, or not at all.
#pragma once

#include <filesystem>

#include "harness/record/signals.h"

namespace roclip::bench {

/// @throws Error(kData), which names --out
void make_folder(const std::filesystem::path& folder);

/// Makes a hidden folder beside its place, which commit() moves there; or in its place, if that is there and empty,
/// where commit() moves what is in it up, so that the folder keeps its owner and mode. What was not committed is
/// deleted, and what a killed process of this host left is deleted when its place is written again.
class DraftFolder {
 public:
  /// @throws Error(kData) if `place` is there and not an empty folder, if another process writes it, or if nothing can
  /// be written there, Error(kUsage) if it is ""
  explicit DraftFolder(const std::filesystem::path& place);
  ~DraftFolder();
  DraftFolder(const DraftFolder&) = delete;
  DraftFolder& operator=(const DraftFolder&) = delete;

  const std::filesystem::path& path() const { return draft_; }
  /// A folder in it, made if it is not there. @throws Error(kData)
  std::filesystem::path folder(const std::string& name) const;
  /// @throws Error(kData)
  void commit();

 private:
  std::filesystem::path place_, draft_;
  bool is_there_ = false;  ///< the place, from the start
  Descriptor lock_;        ///< of the draft, so that nobody takes it for a killed process's
};

}  // namespace roclip::bench
