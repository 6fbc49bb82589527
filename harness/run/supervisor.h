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
#include "harness/study/matrix.h"

namespace roclip::bench {

/// The results of a run so far, in plan order.
class ResultTable {
 public:
  ResultTable(const Matrix& matrix, const std::vector<Cell>& cells, OutputFolder out);
  void set(const Cell& cell, const CellRecord& record);
  Status status(const Cell& cell) const;
  MatrixResult result() const;
  /// The same, to results.json. @throws Error(kData)
  void save();
  /// save(), if there is news and the last save is five seconds ago; a full disk waits for the last save() to complain.
  void save_now_and_then();

 private:
  const Matrix& matrix_;
  const std::vector<Cell>& cells_;
  OutputFolder out_;
  std::vector<CellEntry> entries_;
  bool changed_ = false;  ///< since the last save
  std::chrono::steady_clock::time_point last_save_{};
};

/// The device of each job, the devices in turn. @param jobs 0: one a core on the CPU, `cells_a_gpu` on each GPU as far
/// as there is a core for each
std::vector<std::string> job_devices(std::int64_t jobs, const Expanded& plan, std::size_t cells);

struct SupervisorOptions {
  std::vector<std::string> devices;  ///< of each job; as many as there are jobs
  std::vector<std::filesystem::path> plugin_path;
  std::map<std::string, std::string> trainings = {};  ///< as in Preparation
  CheckpointPolicy checkpoint = {};
  std::vector<std::string> command_line = {};
  bool trace = false;         ///< a Chrome trace of a few steps of each cell
  bool keep_weights = false;  ///< of each cell that ends ok
  std::int64_t max_fail = 0;  ///< stop when as many cells did not end ok; 0 = never
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
    double memory_mib;  ///< limit
    std::unique_ptr<Worker> worker;
    std::optional<CellRecord> record = {};    ///< what the worker reported, or why it was killed
    bool interrupted = false;                 ///< it says so, or we killed it because the run stops
    std::optional<double> first_step_s = {};  ///< from the start of the worker to its first step
    bool killed = false;                      ///< it broke a limit
  };

  void start_cells(std::vector<const Cell*>& waiting);
  void wait();
  void take_events(Running& running);
  void enforce_limits(Running& running);
  void stop(bool at_once);
  void finish(Running& running, std::vector<const Cell*>& waiting);
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
  std::int64_t failures_ = 0;
  std::chrono::steady_clock::time_point stop_deadline_{};
  double cells_s_ = 0, idle_at_end_s_ = 0;
};

}  // namespace roclip::bench
