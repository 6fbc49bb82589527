#include "harness/data/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "harness/data/pack.h"
#include "harness/record/hash.h"
#include "harness/record/paths.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// Held by one process, and one thread of it, at a time; gone with the process. flock() rather than the locks of
/// fcntl(), which do not keep threads apart.
class FileLock {
 public:
  FileLock(const fs::path& file, const Progress& progress)
      : descriptor_(open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) fail(file);
    if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    progress("waiting for another process that prepares the same data", 0, 0);
    while (flock(descriptor_, LOCK_EX) != 0) {
      if (errno != EINTR) fail(file);
    }
  }
  ~FileLock() { close(descriptor_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  [[noreturn]] static void fail(const fs::path& file) {
    throw Error(ErrorKind::kData, file.string() + ": cannot be locked: " + std::strerror(errno));
  }
  int descriptor_;
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
  return cache_dir() / (name + "-" + hash_hex(key).substr(0, kDigits) + ".pack");
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
    if (fs::exists(file)) progress(reason + " (done now)", 0, 0);
    const Scratch scratch(beside(".tmp"));
    const auto draft = scratch.folder / "draft.pack";
    pack_collection(read(scratch.folder / "input"), draft, progress);
    verify_pack(draft);
    fs::rename(draft, file);
  } catch (const fs::filesystem_error& e) {
    throw Error(ErrorKind::kData, file.string() + ": cannot be prepared: " + e.what());
  }
}

}  // namespace roclip::bench
