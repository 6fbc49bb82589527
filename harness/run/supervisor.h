/// Runs cells in workers, several at a time, and stores what becomes of each.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/record/result.h"
#include "harness/run/preparation.h"
#include "harness/run/result_table.h"
#include "harness/study/matrix.h"

namespace roclip::bench {

/// The device of each job, the devices in turn. @param jobs 0: one a core on the CPU, `cells_a_gpu` on each GPU as far
/// as there is a core for each. With ranks, each rank of a job has a core or a GPU of these.
/// @return the devices of the first job's ranks, then of the next one's
std::vector<std::string> job_devices(std::int64_t jobs, const Expanded& plan, std::size_t cells, int ranks = 1);

struct SupervisorOptions {
  std::vector<std::string> devices;  ///< of each rank of each job
  std::vector<std::filesystem::path> plugin_path;
  std::map<std::string, std::string> trainings = {};  ///< as in Preparation
  CheckpointPolicy checkpoint = {};
  std::vector<std::string> command_line = {};
  bool trace = false;         ///< a Chrome trace of a few steps of each cell
  bool keep_weights = false;  ///< of each cell that ends ok
  std::int64_t max_fail = 0;  ///< stop when as many cells did not end ok; 0 = never
  int ranks = 1;              ///< workers that train a cell together, all on this machine
  RankPlace place = {};       ///< if its size is not 1: rank 0, whose others are started elsewhere
};

/// [one thread]
class Supervisor {
 public:
  /// All references must outlive it.
  Supervisor(const Signals& signals, const OutputFolder& out, SupervisorOptions options, ResultTable& results,
             RunState& state, ProgressView& view);

  /// Runs the cells, in this order as far as workers are free and no two share a training that is not done yet. Returns
  /// when all have ended, or all workers have stopped after a signal or after too many failures.
  void run(std::vector<const Cell*> waiting);

  /// The signal that stopped it; 0 = none did.
  int signal() const { return signal_; }
  bool stopped_by_failures() const { return stopping_ && signal_ == 0; }
  /// Wall time of all workers inside their cells.
  double cells_s() const { return cells_s_; }
  /// Time of workers that were idle because no cell was left to start, added up.
  double idle_at_end_s() const { return idle_at_end_s_; }

 private:
  struct Running {
    const Cell* cell;
    std::size_t slot;
    double memory_mib;                             ///< limit
    std::vector<std::unique_ptr<Worker>> workers;  ///< one a rank
    std::optional<CellRecord> record = {};         ///< what the first rank reported, or why it was killed
    std::size_t failed_rank = 0;                   ///< if another rank did not end ok: the first of them
    std::optional<CellRecord> rank_record = {};    ///< of the first of the others that did not end ok
    bool interrupted = false;                      ///< it says so, or we killed it because the run stops
    std::optional<double> first_step_s = {};       ///< from the start of the worker to its first step
    std::optional<std::chrono::steady_clock::time_point> last_moment = {};  ///< of the first rank, without another
    bool killed = false;                                                    ///< it broke a limit

    Worker& first() const { return *workers.front(); }
    void signal_all(int number) const {
      for (const auto& worker : workers) worker->signal(number);
    }
  };

  void start_cells(std::vector<const Cell*>& waiting);
  std::vector<std::unique_ptr<Worker>> start_workers(const Cell& cell, std::size_t slot);
  void wait();
  void take_events(Running& running, std::size_t rank);
  void look_after_ranks(Running& running);
  void enforce_limits(Running& running);
  void stop(bool at_once);
  void finish(Running& running, std::vector<const Cell*>& waiting);
  CellRecord crashed(const Cell& cell, const std::string& who, const Worker& worker, int wait_status) const;
  CellRecord record_of(Running& running, int wait_status) const;
  void store(const Cell& cell, CellRecord record, const std::vector<const Cell*>& waiting);
  std::string training(const Cell& cell) const;

  const Signals& signals_;
  const OutputFolder& out_;
  SupervisorOptions options_;
  ResultTable& results_;
  RunState& state_;
  ProgressView& view_;

  std::list<Running> running_;
  std::vector<bool> busy_;  ///< slots
  std::vector<int> cpus_;   ///< of each slot; empty = not pinned
  int loader_threads_ = 1;  ///< of each worker
  std::int64_t oom_kills_;  ///< the kernel's count when the run began
  bool stopping_ = false;
  int signal_ = 0;
  std::int64_t failures_ = 0, works_ = 0;
  std::chrono::steady_clock::time_point stop_deadline_{};
  double cells_s_ = 0, idle_at_end_s_ = 0;
};

}  // namespace roclip::bench
