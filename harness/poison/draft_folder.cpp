#include "harness/poison/draft_folder.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
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
  draft_ = place_.parent_path() / ("." + place_.filename().string() + ".draft");
  do {
    make(draft_);
  } while (!try_to_lock());
  for (const auto& left : fs::directory_iterator(draft_, error)) fs::remove_all(left.path(), error);
}

/// The lock goes with the process, however it ends. @return false if the folder was moved or deleted meanwhile
bool DraftFolder::try_to_lock() {
  if (lock_ >= 0) ::close(lock_);
  lock_ = ::open(draft_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ < 0) return errno != ENOENT;
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(lock_);
    throw Error(ErrorKind::kData, place_.string() +
                                      ": another process is writing it; wait for it or choose another folder with "
                                      "--out");
  }
  struct stat held {
  }, there{};
  return ::fstat(lock_, &held) == 0 && ::stat(draft_.c_str(), &there) == 0 && held.st_ino == there.st_ino;
}

DraftFolder::~DraftFolder() {
  std::error_code ignored;
  if (!draft_.empty()) fs::remove_all(draft_, ignored);
  if (lock_ >= 0) ::close(lock_);
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
