#include "harness/run/folder_lock.h"

#include <array>
#include <fstream>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "roclip/error.h"

namespace roclip::bench {

namespace {

std::filesystem::path lock_file(const std::filesystem::path& folder) { return folder / ".lock"; }

std::string read_holder(const std::filesystem::path& folder) {
  std::ifstream file(lock_file(folder));
  std::string holder;
  return std::getline(file, holder) ? holder : "a process";
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder)
    : descriptor_(::open(lock_file(folder).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  bool locked = false;
  // holder() takes it for a moment, so once is not enough.
  for (int attempt = 0; descriptor_ && !locked && attempt < 5; ++attempt) {
    if (attempt > 0) ::usleep(20'000);
    locked = ::flock(descriptor_.get(), LOCK_EX | LOCK_NB) == 0;
  }
  if (locked) {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    const std::string self = "process " + std::to_string(::getpid()) + " on " + host.data();
    // Who holds it is a courtesy; the lock is what counts.
    if (::ftruncate(descriptor_.get(), 0) == 0 && ::pwrite(descriptor_.get(), self.data(), self.size(), 0) < 0) return;
    return;
  }
  throw Error(ErrorKind::kData, folder.string() + ": another run, " + read_holder(folder) +
                                    ", is writing here; wait for it, watch it with `roclip-bench status " +
                                    folder.string() + "`, or choose another --out");
}

std::optional<std::string> FolderLock::holder(const std::filesystem::path& folder) {
  const Descriptor file(::open(lock_file(folder).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  return read_holder(folder);
}

}  // namespace roclip::bench
