/// What the supervisor and the engine tell each other: all of it.
///
///     roclip-bench-engine TASK [DESCRIPTOR]
///
/// does one task and ends. TASK is a file, or - for standard input. Events go to DESCRIPTOR, else to standard output,
/// one JSON object a line. The supervisor starts the engine with this command line; a batch system or a person can too.
///
/// A task is one of the structs below as a JSON object with "task": kName; an event one with "event": kName. The exit
/// code is 0 when the task was done, 10 when a cell has a record that is not ok, else that of the Error
/// (roclip/error.h).
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sys/types.h>

#include "harness/record/cell.h"
#include "harness/record/progress.h"
#include "harness/record/rank_place.h"
#include "roclip/error.h"

namespace roclip::bench {

/// Checks and expands a matrix file, prepares its data and lets every attack plan once. Events in this order: Warning,
/// Expanded, PrepareProgress, DataReady, then for each attack Planning and either Planned or PlanFailed.
struct PrepareTask {
  static constexpr const char* kName = "prepare";
  Json matrix = {};                 ///< content of the matrix file, with the seeds that are meant
  std::filesystem::path file = {};  ///< its name, for messages and relative paths
  std::filesystem::path out;
  std::vector<std::filesystem::path> plugin_path;
  std::string device = "auto";
  bool make_data = true;  ///< also store the manifests; false: write nothing, and stop at data that is not prepared
  pid_t supervisor = 0;   ///< as in CellTask
};

/// Trains and evaluates one cell. Events: TrainProgress, then Finished or Stopped. SIGTERM asks it to write a
/// checkpoint and to end.
struct CellTask {
  static constexpr const char* kName = "cell";
  Cell cell;
  std::filesystem::path out;
  std::vector<std::filesystem::path> plugin_path;
  std::string device = "cpu";
  CheckpointPolicy checkpoint;
  int cpu = -1;                           ///< the processor to stay on; -1 = any
  int loader_threads = 1;                 ///< that read images ahead, where reading takes long
  std::filesystem::path trace;            ///< file for a Chrome trace of a few steps; empty = none
  bool keep_weights = false;              ///< in the output folder
  std::vector<std::string> command_line;  ///< for the record
  RankPlace ranks;                        ///< of rank 0, if others train with it; they get their tasks from it
  std::int64_t work = 0;                  ///< number of this task among those of these ranks
  pid_t supervisor = 0;                   ///< the parent, with which the engine ends; 0 = it lives on its own
};

/// Trains a cell with rank 0, which says what cell. Events: Joined, then Finished if it did not end ok.
struct RankTask {
  static constexpr const char* kName = "rank";
  RankPlace ranks;
  std::int64_t last = -1;  ///< number of the work that this place did last
  std::vector<std::filesystem::path> plugin_path;
  std::string device = "";           ///< "" = of the kind that rank 0 has: of several GPUs, the one of its local rank
  int cpu = -1, loader_threads = 1;  ///< as in CellTask
  pid_t supervisor = 0;              ///< as in CellTask
};

/// By rank 0: tells the others that no work is left. No events.
struct DismissTask {
  static constexpr const char* kName = "dismiss";
  RankPlace ranks;
  pid_t supervisor = 0;  ///< as in CellTask
};

using Task = std::variant<PrepareTask, CellTask, RankTask, DismissTask>;

inline constexpr int kCellNotOk = 10;  ///< exit code, also of a run in which some cell did not end ok

/// For a person.
struct Warning {
  static constexpr const char* kName = "warning";
  std::string text;
};
/// The cells of a matrix file.
struct Expanded {
  static constexpr const char* kName = "expanded";
  std::vector<std::string> devices;           ///< "cpu", or every GPU that is meant
  std::int64_t cells_a_gpu = 1;               ///< that together use a GPU best
  std::vector<Cell> cells;                    ///< in plan order
  std::map<std::string, std::string> builds;  ///< what may compute other numbers when it is built anew -> its hash:
                                              ///< plugins by id, the programs and libraries by name
};
/// Preparation of the data; a total of 0 makes `what` a notice.
struct PrepareProgress {
  static constexpr const char* kName = "prepare_progress";
  std::string what;
  std::int64_t done = 0, total = 0;
};
struct DataReady {
  static constexpr const char* kName = "data_ready";
  std::string data_hash;                         ///< of the prepared data; "" = not known
  Json data = nullptr;                           ///< CellRecord::data; null = not known
  std::map<std::string, std::string> trainings;  ///< cell id -> key; cells of one key share a training or its beginning
  std::map<std::string, std::int64_t>
      pairs;                          ///< cell id -> that it trains on, repetitions counted, if its defense takes all
  std::set<std::string> checkpoints;  ///< names of all checkpoint folders that these cells may continue
};
/// The engine lets this attack plan now. An engine that dies before the next event died of it.
struct Planning {
  static constexpr const char* kName = "planning";
  std::string attack;  ///< row of the grid, as in the next two
};
struct Planned {
  static constexpr const char* kName = "planned";
  std::string attack;
  std::int64_t trials = 0;  ///< what its success is measured on: target images, or images of other classes
};
/// The cells of this attack will fail.
struct PlanFailed {
  static constexpr const char* kName = "plan_failed";
  std::string attack, reason;
};
/// The end of a cell. Format of the record: results/schema/cell.schema.json.
struct Finished {
  static constexpr const char* kName = "finished";
  Json record;
};
/// The cell stopped when it was asked to; its checkpoint is written.
struct Stopped {
  static constexpr const char* kName = "stopped";
};
/// A rank knows what to do.
struct Joined {
  static constexpr const char* kName = "joined";
  std::int64_t work = 0;  ///< its number
  std::string cell;       ///< its id; "" = no work is left
};
/// The end of a task that could not be done.
struct TaskFailed {
  static constexpr const char* kName = "task_failed";
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
};

using Event = std::variant<Warning, Expanded, PrepareProgress, DataReady, Planning, Planned, PlanFailed, TrainProgress,
                           Finished, Stopped, Joined, TaskFailed>;

/// `roclip-bench doctor`: front of the line with the engine's findings, among whatever plugins print.
inline constexpr std::string_view kFindings = "roclip-bench findings: ";

/// A line of it. @param state "ok"; "warn" = works, but slowly or not all of it; "fail" = a run would end with `code`
/// @param fix what to do about it
inline Json finding(const std::string& what, const std::string& state, const std::string& found,
                    const std::string& fix = "", ErrorKind code = ErrorKind::kInternal) {
  return {{"what", what},
          {"state", state},
          {"found", found},
          {"fix", fix},
          {"code", state == "fail" ? static_cast<int>(code) : 0}};
}

std::string write_task(const Task& task);
/// @throws Error(kUsage) for what is no task
Task read_task(const Json& json);
/// One line with its end. Bytes that are not UTF-8 are replaced.
std::string write_event(const Event& event);
/// @throws Json::exception, Error for what is no event: a plugin may write to a descriptor that is not its own
Event read_event(std::string_view line);

}  // namespace roclip::bench
