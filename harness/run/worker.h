/// A worker as the supervisor sees it: a task goes in, events come out, and then it ends, one way or another.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/run/nursery.h"

namespace roclip::bench {

using Json = nlohmann::json;

/// [one thread]
class Worker {
 public:
  /// @param log gets what the worker prints; "" = kept in memory only
  /// @throws Error(kInternal), Error(kData) when the log cannot be written
  Worker(Nursery& nursery, const Json& task, const std::filesystem::path& log);
  /// Kills a worker that still runs, and all it started.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  pid_t pid() const { return pid_; }
  /// To be polled for input: events, -1 when no more can come; and the end.
  int events_descriptor() const { return events_.get(); }
  int end_descriptor() const { return end_.get(); }

  /// The events that are there; never waits. Lines that are not a JSON object are passed over.
  std::vector<Json> read();
  /// Asks it to stop, SIGTERM, or ends it and what it started, SIGKILL.
  void signal(int number);
  /// @pre end_descriptor() is readable. Also ends what it started. @return as of waitpid(2)
  int reap();

  double running_s() const;
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

}  // namespace roclip::bench
