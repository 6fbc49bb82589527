/// A folder that is there when it is complete, or not at all.
#pragma once

#include <filesystem>

namespace roclip::bench {

/// Makes a folder beside its place; commit() moves it there. What was not committed is deleted.
class DraftFolder {
 public:
  /// @throws Error(kData) if `place` is there and not an empty folder, or if nothing can be written beside it
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
};

}  // namespace roclip::bench
