#include "harness/poison/draft_folder.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
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

/// The lock of a folder, which goes with the process however it ends. @return -1 where the file system has none
int locked(const fs::path& folder, const fs::path& place) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0 || ::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
  const bool busy = errno == EWOULDBLOCK;
  ::close(descriptor);
  if (!busy) return -1;
  throw Error(ErrorKind::kData,
              place.string() + ": another process is writing it; wait for it or choose another " + "folder with --out");
}

/// What killed processes left beside a place.
void clear_drafts(const fs::path& place, const std::string& prefix) {
  std::error_code ignored;
  std::vector<fs::path> drafts;
  for (const auto& entry : fs::directory_iterator(place.parent_path())) {
    const bool ours = entry.path().filename().string().starts_with(prefix);
    if (ours && entry.symlink_status(ignored).type() == fs::file_type::directory) drafts.push_back(entry.path());
  }
  for (const auto& draft : drafts) {
    const int lock = locked(draft, place);
    if (lock < 0) continue;
    fs::remove_all(draft, ignored);
    ::close(lock);
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
  make(place_.parent_path());
  const auto prefix = "." + place_.filename().string() + ".draft-";
  clear_drafts(place_, prefix);
  const auto draft = place_.parent_path() / (prefix + std::to_string(::getpid()));
  if (!fs::create_directory(draft, error)) {
    throw Error(ErrorKind::kData, draft.string() + ": cannot be made: " + (error ? error.message() : "it is there") +
                                      "; delete it or choose another folder with --out");
  }
  lock_ = locked(draft, place_);
  draft_ = draft;
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
