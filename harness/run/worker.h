/// One cell in a process of its own, so that a plugin that crashes costs one cell. The two sides of the pipe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "harness/record/result.h"
#include "harness/train/trainer.h"

namespace roclip::bench {

/// What all workers of a run share.
struct WorkerOptions {
  std::vector<std::filesystem::path> plugin_path;  ///< of the command line
  std::string device = "auto";
  OutputFolder out;
};

/// The child's side: reads a cell from standard input, runs it, writes events to descriptor 3. @return exit code
int worker_main(const WorkerOptions& options);

/// The parent's side: one running child.
class Worker {
 public:
  struct Event {
    std::optional<TrainProgress> progress;
    Json record;  ///< the final record, null until the end
  };

  /// Starts `roclip-bench worker`. Its stdout and stderr go to out.log_file(). @throws Error(kInternal)
  Worker(const Cell& cell, const WorkerOptions& options);
  /// Kills a child that still runs.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  const Cell& cell() const { return *cell_; }
  /// To be polled for input; readable also when the child has ended.
  int descriptor() const { return events_; }
  /// Reads what is there. After the end: the record, of the child's making or, if it died, "crashed" by ours, stored
  /// as well.
  std::vector<Event> read();

 private:
  Json record_of_the_dead(int wait_status) const;

  const Cell* cell_;
  OutputFolder out_;
  pid_t pid_ = -1;
  int events_ = -1;
  std::string buffer_;
  Json record_;
};

}  // namespace roclip::bench
