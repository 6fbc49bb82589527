/// `roclip-bench run`: all cells of a matrix.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/record/protocol.h"
#include "harness/run/views.h"
#include "harness/study/matrix.h"
#include "harness/study/select.h"

namespace roclip::bench {

struct RunOptions {
  std::filesystem::path matrix;
  std::filesystem::path out;  ///< empty: "out" beside the matrix file
  std::vector<std::filesystem::path> plugin_path;
  std::string device = "auto";
  std::int64_t jobs = 0;                          ///< 0: one a core on the CPU, one on each GPU
  int ranks = 1;                                  ///< workers that train a cell together
  RankPlace place = {};                           ///< if its size is not 1: of this process, the first; one job only
  std::vector<std::string> only;                  ///< selectors, see select()
  Shard shard = {};                               ///< of these
  bool rerun = false;                             ///< also cells that are done
  std::optional<std::vector<std::string>> retry;  ///< of the cells that did not end ok, those of these statuses
  std::int64_t max_fail = 0;                      ///< stop when as many cells did not end ok; 0 = never
  ProgressStyle progress = ProgressStyle::kAuto;
  bool color = false;
  bool json = false;   ///< a summary on stdout instead of the grid
  double rate = 0;     ///< pairs a second that a worker trains on, for plan's estimate; 0 = as cells that are done
  bool trace = false;  ///< a Chrome trace of a few steps of each cell
  bool keep_weights = false;  ///< of the cells that run now
  std::vector<std::string> command_line;
};

/// Stored results that stay although other builds of program, libraries or plugins made them.
class OtherBuilds {
 public:
  /// @param stored a cell's result. @param builds as in Expanded
  void look_at(const CellRecord& stored, const std::map<std::string, std::string>& builds);
  /// A sentence; "" if there are none.
  std::string told() const;

 private:
  std::int64_t results_ = 0;
  std::set<std::string> ids_;
};

/// Stored results that do not count any more, and that a run replaces.
class ReplacedResults {
 public:
  /// @param cell one that has no stored_result(). @param data as in DataReady
  void look_at(const OutputFolder& out, const Cell& cell, const Json& data);
  /// A sentence for each reason.
  std::vector<std::string> told() const;

 private:
  std::int64_t damaged_ = 0, of_other_data_ = 0;
  std::set<std::string> sets_;  ///< those that differ, as far as the results tell
};

/// The output folder of a matrix file when none is given: out/ beside it; in the current folder if it is a pipe.
std::filesystem::path default_out(const Matrix& matrix);

/// Runs what is not done yet, one worker a cell, stores every result and the matrix result, prints the grid. One
/// failing cell never stops the others.
/// @return 0; 10 if some selected cell did not end ok; 128 + n if signal n stopped it. @throws Error before anything
/// runs
int run_matrix(const RunOptions& options);

/// The part of another rank than the first in its run_matrix(): trains the cells that rank 0 does with it.
/// @return 0 when rank 0 needs it no more, whatever became of the cells; 128 + n if signal n stopped it
/// @throws Error(kInternal) if rank 0 cannot be reached
int join_ranks(const RankPlace& place, const std::vector<std::filesystem::path>& plugin_path);

/// run_matrix(), then seed after seed of the cells whose gate is inconclusive (harness/report/check.h), until every
/// gate is decided, none of them can be decided by more seeds, or `most_seeds` are reached. The gates are judged at
/// each number of seeds, and their confidence is corrected for as many looks. Prints the verdicts.
/// @return as run_matrix() if that is not 0; else 0, 11 or 12 as the gates say. @throws Error(kMatrix) without gates
int run_until_decided(const RunOptions& options, std::int64_t most_seeds);

/// The result of a cell that ended ok. @throws Error(kData) for any other
CellRecord read_finished_cell(const std::filesystem::path& file);

inline constexpr int kBitsDiffer = 11;  ///< exit code

/// Runs the cell of a result file again, alone and in a folder of its own, and compares weights and metrics.
/// @return 0 if the bits are equal, 11 if not, 10 if it did not end ok. @throws Error
int replay_cell(const std::filesystem::path& cell_file, const std::vector<std::filesystem::path>& plugin_path,
                bool color);

/// The weights of a cell as a file of open_clip's names: those that its run kept, or else of a training of that cell
/// alone, as replay_cell() does it.
/// @return 0; 11 if it was trained again and the bits are not those of the record; 10 if that did not end ok.
/// @throws Error
int export_weights(const std::filesystem::path& cell_file, const std::filesystem::path& to,
                   const std::vector<std::filesystem::path>& plugin_path, bool color);

}  // namespace roclip::bench
