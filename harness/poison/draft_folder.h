/// A folder that is there when it is complete, or not at all.
#pragma once

#include <filesystem>

namespace roclip::bench {

/// Makes a hidden folder beside its place; commit() moves it there. What was not committed is deleted, and what a
/// killed process of this host left is deleted when its place is written again.
class DraftFolder {
 public:
  /// @throws Error(kData) if `place` is there and not an empty folder, if another process writes it, or if nothing can
  /// be written beside it
  explicit DraftFolder(std::filesystem::path place);
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
  int lock_ = -1;  ///< descriptor of the draft, so that nobody takes it for a killed process's
};

}  // namespace roclip::bench
