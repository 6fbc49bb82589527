/// The supervisor's side of harness/engine/nursery.h: starts workers.
#pragma once

#include <vector>

#include <sys/types.h>

#include "harness/record/descriptor.h"

namespace roclip::bench {

/// One process with LibTorch loaded, from which workers are forked. Makes this process a subreaper that ignores
/// SIGPIPE. [one thread]
class Nursery {
 public:
  Nursery();
  /// Ends the nursery; workers go on.
  ~Nursery();
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  /// A new worker that reads `task` as its standard input, prints to `log` and writes events to `events`; a child of
  /// this process in a process group of its own. Starts the nursery (again) if it does not run.
  /// @throws Error(kInternal) if that fails twice
  pid_t fork_worker(int task, int log, int events);

  /// -1 while it does not run.
  pid_t pid() const { return pid_; }

  /// Ends and reaps what ended workers left behind. @param spare a worker that still runs: true
  template <class Predicate>
  void end_orphans(Predicate spare) {
    for (const pid_t pid : children()) {
      if (pid != pid_ && !spare(pid)) end(pid);
    }
  }

 private:
  static std::vector<pid_t> children();
  static void end(pid_t pid);
  void start();
  void stop();

  pid_t pid_ = -1;
  Descriptor socket_;
};

}  // namespace roclip::bench
