/// A worker: the engine at one task, as the supervisor sees it. Events come out (harness/record/protocol.h), and then
/// it ends, one way or another.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "harness/record/protocol.h"
#include "harness/record/signals.h"

namespace roclip::bench {

/// [one thread]
class Worker {
 public:
  /// Starts the engine in a process group of its own; it ends with this process. Makes this process a subreaper that
  /// ignores SIGPIPE.
  /// @param task its `supervisor` becomes this process
  /// @param log gets what the worker prints; "" = kept in memory only
  /// @throws Error(kInternal), Error(kData) when the log cannot be written
  Worker(Task task, const std::filesystem::path& log);
  /// Kills a worker that still runs, and all it started.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  pid_t pid() const { return pid_; }
  /// To be polled for input: events, -1 when no more can come; and the end.
  int events_descriptor() const { return events_.get(); }
  int end_descriptor() const { return end_.get(); }

  /// The events that are there; never waits. Passes over what is no event.
  std::vector<Event> read();
  /// Asks it to stop, SIGTERM, or ends it and what it started, SIGKILL.
  void signal(int number);
  /// @param wait_ms for its end, as of poll(2)
  bool has_ended(int wait_ms = 0) const;
  /// @pre has_ended(). Also ends what it started. @return as of waitpid(2)
  int reap();

  double running_s() const { return seconds_since(start_); }
  /// Resident memory; 0 once it has ended.
  double memory_mib() const;
  /// The last lines that it printed.
  std::string last_output() const;

 private:
  pid_t pid_ = -1;
  Descriptor events_, end_, log_;
  std::string buffer_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Ends and reaps the children of this process but those to spare: what plugins of ended workers left behind.
void end_orphans(const std::function<bool(pid_t)>& spare);

/// "ended by signal 11 (Segmentation fault)", "exited with code 3". @param wait_status as of waitpid(2)
std::string how_it_ended(int wait_status);

}  // namespace roclip::bench
