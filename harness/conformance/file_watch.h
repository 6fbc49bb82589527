/// Sees which files this process opens, makes, renames or deletes, whoever asks and by whichever library.
#pragma once

#include <string>
#include <vector>

namespace roclip::bench::conformance {

/// From now on, until the process ends, system calls that name a file pass through a signal handler (seccomp(2),
/// SIGSYS), which lets them happen. Covers all threads. A program that is started from here dies at its first file.
/// @return false where the kernel or this processor's build has no such filters: then nothing is ever seen
bool install_file_watch();

/// While one lives, file calls of this process are recorded under its name. They nest; the inner name counts.
class WatchedCall {
 public:
  /// @param name must outlive the process: a literal
  explicit WatchedCall(const char* name);
  ~WatchedCall();
  WatchedCall(const WatchedCall&) = delete;
  WatchedCall& operator=(const WatchedCall&) = delete;

 private:
  const char* outer_;
};

struct FileCall {
  std::string by;    ///< name of the WatchedCall
  std::string what;  ///< "openat"
  std::string path;  ///< as given; under its folder where that was given by a descriptor
  bool writes;
};
/// What was recorded so far; at most the first few thousand.
std::vector<FileCall> file_calls();
/// Whether this process ever had a child.
bool started_a_process();
/// Whether those are all.
bool saw_all_files();
/// How many WatchedCalls there were.
int watched_calls();

}  // namespace roclip::bench::conformance
