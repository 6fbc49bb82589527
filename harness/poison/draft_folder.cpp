#include "harness/poison/draft_folder.h"

#include <system_error>

#include <unistd.h>

#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

void make(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(ErrorKind::kData,
                folder.string() + ": cannot be made: " + error.message() + "; choose another folder with --out");
  }
}

}  // namespace

DraftFolder::DraftFolder(fs::path place) : place_(fs::absolute(place).lexically_normal()) {
  if (!place_.has_filename()) place_ = place_.parent_path();  // "out/"
  std::error_code error;
  if (fs::exists(place_, error) && !(fs::is_directory(place_, error) && fs::is_empty(place_, error))) {
    throw Error(ErrorKind::kData, place_.string() +
                                      ": is there and not an empty folder; nothing was written. Delete it " +
                                      "or choose another folder with --out");
  }
  draft_ = place_.string() + ".tmp" + std::to_string(::getpid());
  make(draft_);
}

DraftFolder::~DraftFolder() {
  std::error_code ignored;
  if (!draft_.empty()) fs::remove_all(draft_, ignored);
}

fs::path DraftFolder::folder(const std::string& name) const {
  make(draft_ / name);
  return draft_ / name;
}

void DraftFolder::commit() {
  std::error_code error;
  fs::rename(draft_, place_, error);
  if (error) throw Error(ErrorKind::kData, place_.string() + ": cannot be made: " + error.message());
  draft_.clear();
}

}  // namespace roclip::bench
