#include "harness/poison/draft_folder.h"

#include <algorithm>
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

/// The lock of a folder, which goes with the process however it ends. @return none where the file system has none
Descriptor locked(const fs::path& folder, const fs::path& place) {
  Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!descriptor || ::flock(descriptor.get(), LOCK_EX | LOCK_NB) == 0) return descriptor;
  if (errno != EWOULDBLOCK) return Descriptor();
  throw Error(ErrorKind::kData,
              place.string() + ": another process is writing it; wait for it or choose another folder with --out");
}

/// What killed processes left in the folder that holds the drafts of a place.
void clear_drafts(const fs::path& place, const fs::path& folder, const std::string& prefix) {
  std::error_code ignored;
  std::vector<fs::path> drafts;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const bool ours = entry.path().filename().string().starts_with(prefix);
    if (ours && entry.symlink_status(ignored).type() == fs::file_type::directory) drafts.push_back(entry.path());
  }
  for (const auto& draft : drafts) {
    if (const auto lock = locked(draft, place)) fs::remove_all(draft, ignored);
  }
}

[[noreturn]] void refuse(const fs::path& place) {
  throw Error(ErrorKind::kData,
              place.string() + ": exists and is not an empty folder; delete it or choose another folder with --out");
}

}  // namespace

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return;
  throw Error(ErrorKind::kData,
              folder.string() + ": cannot be created: " + error.message() + "; choose another folder with --out");
}

DraftFolder::DraftFolder(const fs::path& place) {
  if (place.empty()) throw Error(ErrorKind::kUsage, "--out: expected a folder, got \"\"");
  place_ = fs::absolute(place).lexically_normal();
  if (!place_.has_filename()) place_ = place_.parent_path();  // "out/"
  std::error_code error;
  is_there_ = fs::exists(fs::symlink_status(place_, error));
  if (is_there_) {
    const auto folder = fs::canonical(place_, error);
    if (!fs::is_directory(folder, error)) refuse(place_);
    place_ = folder;
  }
  const auto home = is_there_ ? place_ : place_.parent_path();
  make_folder(home);
  const auto prefix = "." + place_.filename().string() + ".draft-";
  clear_drafts(place_, home, prefix);
  if (is_there_ && !fs::is_empty(place_, error)) refuse(place_);
  const auto draft = home / (prefix + std::to_string(::getpid()));
  if (!fs::create_directory(draft, error)) {
    throw Error(ErrorKind::kData, draft.string() + ": cannot be created: " + (error ? error.message() : "it exists") +
                                      "; delete it or choose another folder with --out");
  }
  lock_ = locked(draft, place_);
  draft_ = draft;
}

DraftFolder::~DraftFolder() {
  std::error_code ignored;
  if (!draft_.empty()) fs::remove_all(draft_, ignored);
}

fs::path DraftFolder::folder(const std::string& name) const {
  make_folder(draft_ / name);
  return draft_ / name;
}

void DraftFolder::commit() {
  std::error_code error;
  if (is_there_) {
    std::vector<fs::directory_entry> entries;
    for (const auto& entry : fs::directory_iterator(draft_, error)) entries.push_back(entry);
    std::ranges::partition(entries, [](const auto& entry) { return entry.is_directory(); });  // tables come last
    for (const auto& entry : entries) {
      if (!error) fs::rename(entry, place_ / entry.path().filename(), error);
    }
  } else {
    fs::rename(draft_, place_, error);
  }
  if (error) throw Error(ErrorKind::kData, place_.string() + ": cannot be created: " + error.message());
  if (is_there_) fs::remove(draft_, error);
  draft_.clear();
}

}  // namespace roclip::bench
