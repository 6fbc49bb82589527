#include "harness/data/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

#include "harness/data/encoded_pack.h"
#include "harness/data/pack.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "harness/record/signals.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPack = ".pack";

/// Held by one process, and one thread of it, at a time; gone with the process. flock() rather than the locks of
/// fcntl(), which do not keep threads apart.
class FileLock {
 public:
  FileLock(const fs::path& file, const Progress& progress) {
    while (!is_locked_) {
      if (!try_lock(file)) {
        progress("waiting for another process that prepares the same data", 0, 0);
        while (flock(descriptor_.get(), LOCK_EX) != 0) {
          if (errno != EINTR) fail(file);
        }
      }
      is_locked_ = is_still(file);
    }
  }
  /// Does not wait: look at is_locked().
  explicit FileLock(const fs::path& file) { is_locked_ = try_lock(file) && is_still(file); }
  bool is_locked() const { return is_locked_; }

 private:
  [[noreturn]] static void fail(const fs::path& file) {
    throw Error(ErrorKind::kData, file.string() + ": cannot be locked: " + std::strerror(errno));
  }
  bool try_lock(const fs::path& file) {
    descriptor_ = Descriptor(open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666));
    if (!descriptor_) fail(file);
    return flock(descriptor_.get(), LOCK_EX | LOCK_NB) == 0;
  }
  /// Whether the file that was locked is the one of that name: clean_cache() deletes it with its pack.
  bool is_still(const fs::path& file) const {
    struct stat held {
    }, there{};
    return fstat(descriptor_.get(), &held) == 0 && stat(file.c_str(), &there) == 0 && held.st_ino == there.st_ino;
  }
  Descriptor descriptor_;
  bool is_locked_ = false;
};

/// Why the file has to be made; empty if it is whole.
std::string defect(const fs::path& file, const std::function<void(const fs::path&)>& whole) {
  if (!fs::exists(file)) return "missing";
  try {
    whole(file);
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

/// The packed file that a file in the cache is, or belongs to (a lock, a draft); "" if it is something else.
fs::path pack_of(const fs::path& file) {
  const auto name = file.filename().string();
  const auto end = name.rfind(kPack);
  return end == std::string::npos ? fs::path() : file.parent_path() / name.substr(0, end + kPack.size());
}

/// Deletes what a killed process left, and what this one leaves.
struct Scratch {
  fs::path folder;

  explicit Scratch(fs::path path) : folder(std::move(path)) {
    fs::remove_all(folder);
    fs::create_directories(folder / "input");
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
};

}  // namespace

fs::path cache_file(const std::string& name, std::string_view key) {
  constexpr std::size_t kDigits = 16;
  return cache_dir() / (name + "-" + hash_hex(key).substr(0, kDigits) + std::string(kPack));
}

std::string stamp_of(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) refuse(path, error.message());
  const auto size = fs::is_regular_file(path) ? ' ' + std::to_string(fs::file_size(path)) : "";
  return '\n' + path.string() + ' ' + std::to_string(time.time_since_epoch().count()) + size;
}

void ensure_packed(const fs::path& file, const std::function<void(const fs::path&)>& whole, const Reader& read,
                   const Progress& progress) {
  if (defect(file, whole).empty()) return;
  try {
    fs::create_directories(file.parent_path());
    const auto beside = [&](const char* suffix) { return fs::path(file.string() + suffix); };
    const FileLock lock(beside(".lock"), progress);
    const std::string reason = defect(file, whole);
    if (reason.empty()) return;  // somebody else made it while this process waited
    if (fs::exists(file)) progress(reason + "; it is prepared again", 0, 0);
    const Scratch scratch(beside(".tmp"));
    auto collection = read(scratch.folder / "input");
    auto draft = scratch.folder / "draft.pack";
    if (collection.encoded) {
      draft = beside(".draft");  // stays when the process is killed: the next one goes on
      encode_collection(std::move(collection), draft, progress);
    } else {
      pack_collection(std::move(collection), draft, progress);
      verify_pack(draft);
    }
    fs::remove_all(file);
    fs::rename(draft, file);
  } catch (const fs::filesystem_error& e) {
    throw Error(ErrorKind::kData, file.string() + ": cannot be prepared: " + e.what());
  }
}

void mark_used(const fs::path& file) {
  std::error_code no_matter;  // a cache that cannot be written
  fs::last_write_time(file, fs::file_time_type::clock::now(), no_matter);
}

std::vector<CachedFile> cached_files() {
  std::map<fs::path, CachedFile> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(cache_dir(), none)) {
    const auto pack = pack_of(entry.path());
    struct stat there {};
    if (pack.empty() || lstat(entry.path().c_str(), &there) != 0) continue;
    auto& file = files[pack];
    file.path = pack;
    file.last_used = std::max<std::int64_t>(file.last_used, there.st_mtime);
    if (!S_ISDIR(there.st_mode)) file.bytes += static_cast<std::uintmax_t>(there.st_size);
    for (const auto& inner : fs::recursive_directory_iterator(entry.path(), none)) {
      if (inner.is_regular_file(none)) file.bytes += inner.file_size(none);
    }
  }
  std::vector<CachedFile> list;
  for (const auto& [path, file] : files) list.push_back(file);
  return list;
}

bool delete_cached(const fs::path& file) {
  const FileLock lock(file.string() + ".lock");
  if (!lock.is_locked()) return false;
  try {
    std::vector<fs::path> parts;
    for (const auto& entry : fs::directory_iterator(file.parent_path())) {
      if (pack_of(entry.path()) == file) parts.push_back(entry.path());
    }
    for (const auto& part : parts) fs::remove_all(part);
  } catch (const fs::filesystem_error& e) {
    throw Error(ErrorKind::kData, file.string() + ": cannot be deleted: " + e.code().message());
  }
  return true;
}

}  // namespace roclip::bench
