#include "harness/run/run.h"
#include "harness/study/select.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <set>
#include <tuple>

#include <boost/algorithm/string/join.hpp>

#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/report/check.h"
#include "harness/report/render.h"
#include "harness/run/folder_lock.h"
#include "harness/run/supervisor.h"
#include "harness/run/worker.h"
#include "harness/study/gates.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

bool must_run(const std::optional<CellRecord>& stored, const RunOptions& options) {
  if (!stored || options.rerun) return true;
  if (stored->ok()) return false;
  return !options.retry || std::ranges::find(*options.retry, to_string(stored->status)) != options.retry->end();
}

/// What the output folder holds of other configurations, data or code: a sentence each.
std::vector<std::string> old_files(const OutputFolder& out, const Preparation& prepared) {
  std::set<std::string> ids;
  for (const auto& cell : prepared.cells) ids.insert(cell.id);
  const auto others = [](const std::filesystem::path& folder, const std::set<std::string>& ours) {
    std::int64_t count = 0;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
      count += !ours.contains(entry.path().stem().string());
    }
    return count;
  };
  std::vector<std::string> told;
  if (const auto count = others(out.root / "cells", ids); count > 0) {
    told.push_back(counted(count, "stored result") + " in " + (out.root / "cells").string() +
                   " belong to no cell of this matrix file (its settings, its data or the program have changed since); "
                   "they are kept, and the cells that took their place are trained anew");
  }
  if (const auto count = others(out.checkpoint_folder(""), prepared.checkpoints); count > 0) {
    told.push_back("checkpoints of " + counted(count, "training") +
                   " are of other settings, other data or another build of the program, its libraries or plugins: they "
                   "are not continued, and training starts from the beginning");
  }
  return told;
}

/// The sets of a CellRecord::data and what they hold, as hashes.
std::map<std::string, std::string> set_hashes(const Json& data) {
  std::map<std::string, std::string> hashes;
  if (data.is_null()) return hashes;
  hashes["the training set"] = data.at("hash");
  if (!data.contains("evaluate")) return hashes;
  for (const auto& [name, set] : data.at("evaluate").items()) hashes[name] = set.at("hash");
  return hashes;
}

/// Checkpoints are of no use once every cell of the matrix is done.
void remove_checkpoints(const OutputFolder& out, const ResultTable& results, const std::vector<Cell>& cells) {
  if (!std::ranges::all_of(cells, [&](const Cell& cell) { return results.status(cell) == Status::kOk; })) return;
  std::error_code ignored;
  std::filesystem::remove_all(out.checkpoint_folder(""), ignored);
}

}  // namespace

void OtherBuilds::look_at(const CellRecord& stored, const std::map<std::string, std::string>& builds) {
  if (!stored.ok()) return;  // it runs again
  bool is_other = false;
  for (const auto& [name, now] : builds) {
    const bool is_plugin = name.find('/') != std::string::npos;
    const auto plugin = stored.plugins.find(name);
    if (is_plugin && plugin == stored.plugins.end()) continue;
    const auto code = stored.code.find(name);
    const std::string then = is_plugin ? plugin->second.file_hash : code == stored.code.end() ? "" : code->second;
    if (then == now) continue;
    ids_.insert(name);
    is_other = true;
  }
  results_ += is_other;
}

std::string OtherBuilds::told() const {
  if (results_ == 0) return "";
  return counted(results_, "result") + " kept from another build of " + boost::join(ids_, ", ") +
         "; if that may change the numbers, train again with `run --rerun` (the author of a plugin raises the revision "
         "in its id)";
}

void ReplacedResults::look_at(const OutputFolder& out, const Cell& cell, const Json& data) {
  const auto file = out.cell_file(cell.id);
  if (!std::filesystem::exists(file)) return;
  try {
    const auto stored = read_cell(file);
    const auto then = set_hashes(stored.data);
    for (const auto& [name, now] : set_hashes(data)) {
      if (then.contains(name) && then.at(name) != now) sets_.insert(name);
    }
    ++(config_hash(stored.effective) == config_hash(cell.config) ? of_other_data_ : damaged_);
  } catch (const std::exception&) {
    ++damaged_;
  }
}

std::vector<std::string> ReplacedResults::told() const {
  std::vector<std::string> told;
  if (damaged_ > 0) told.push_back(counted(damaged_, "stored result") + " will be replaced: damaged");
  if (of_other_data_ > 0) {
    told.push_back(counted(of_other_data_, "stored result") + " will be replaced: measured on other data" +
                   (sets_.empty() ? "" : " (" + boost::join(sets_, ", ") + " changed since)") +
                   "; to keep them, run into another folder with --out");
  }
  return told;
}

std::filesystem::path default_out(const Matrix& matrix) { return matrix.folder() / "out"; }

namespace {

/// Row, column and seed of a cell.
using Place = std::tuple<std::string, std::string, std::int64_t>;

/// Lets the other ranks go in the end, however that comes.
class Dismissal {
 public:
  explicit Dismissal(RankPlace place) : place_(std::move(place)) {}
  ~Dismissal() {
    if (place_.size == 1) return;
    try {
      Worker worker(DismissTask{.ranks = place_}, /*log=*/"");
      worker.has_ended(/*forever*/ -1);
      worker.reap();
    } catch (const std::exception&) {  // then they find nobody at the meeting place
    }
  }
  Dismissal(const Dismissal&) = delete;
  Dismissal& operator=(const Dismissal&) = delete;

 private:
  RankPlace place_;
};

/// @param places the cells to run; empty: those of options.only
int run_cells(const Matrix& matrix, const RunOptions& options, const std::set<Place>& places) {
  const Signals signals;
  ::signal(SIGXFSZ, SIG_IGN);
  const OutputFolder out{options.out.empty() ? default_out(matrix) : options.out};
  ProgressView view(options.progress, options.color);
  if (std::filesystem::exists(out.root) && FolderLock::holder(out.root)) FolderLock{out.root};  // says who, at once

  int signal = 0;
  const auto prepared = prepare(matrix, {.out = out.root, .plugin_path = options.plugin_path, .device = options.device},
                                signals, view, signal);
  if (!prepared) return 128 + signal;
  const auto& cells = prepared->cells;
  auto selected = select(cells, places.empty() ? options.only : std::vector<std::string>());
  if (!places.empty()) {
    std::erase_if(selected, [&](const Cell* cell) {
      return !places.contains({cell->attack, cell->defense, cell->seed});
    });
  }
  selected = shard_of(selected, prepared->trainings, options.shard);
  out.create();
  const FolderLock lock(out.root);
  out.remove_leftovers();

  ResultTable results(matrix, cells, out);
  std::vector<const Cell*> waiting;
  std::set<const Cell*> chosen(selected.begin(), selected.end());
  std::int64_t done = 0;
  OtherBuilds other_builds;
  ReplacedResults replaced;
  for (const auto& cell : cells) {
    const auto stored = stored_result(out, cell, prepared->data_hash);
    if (chosen.contains(&cell) && must_run(stored, options)) {
      waiting.push_back(&cell);
      if (!stored) replaced.look_at(out, cell, prepared->data);
    } else if (stored) {
      results.set(cell, *stored);
      done += chosen.contains(&cell) && stored->ok();
      other_builds.look_at(*stored, prepared->builds);
    }
  }
  const auto devices = job_devices(options.jobs, *prepared, waiting.size(), options.ranks);
  const auto jobs = std::ssize(devices) / options.ranks;
  const auto ranks = std::max(options.ranks, options.place.size);
  RunState state(matrix.name, prepared->devices.front(),
                 {.cells = static_cast<std::int64_t>(selected.size()), .done = done, .jobs = jobs});
  view.notice(matrix.name + ": " + counted(std::ssize(selected), "cell") + ", " + std::to_string(done) +
              " already done, " + std::to_string(waiting.size()) + " to run on " + prepared->devices.front() + ", " +
              std::to_string(jobs) + " at a time" + (ranks > 1 ? ", each in " + std::to_string(ranks) + " ranks" : "") +
              "; results in " + out.root.string());
  if (const auto told = other_builds.told(); !told.empty()) view.notice(told);
  for (const auto& told : replaced.told()) view.notice(told);
  for (const auto& told : old_files(out, *prepared)) view.notice(told);
  view.begun(state, out.status_file());

  for (const Cell* cell : selected) {
    if (std::ranges::find(waiting, cell) == waiting.end() && results.status(*cell) != Status::kOk) {
      state.finished(*cell, std::string(to_string(results.status(*cell))), "kept from an earlier run");
    }
  }

  Supervisor supervisor(signals, out,
                        {.devices = devices,
                         .plugin_path = options.plugin_path,
                         .trainings = prepared->trainings,
                         .checkpoint = matrix.checkpoint,
                         .command_line = options.command_line,
                         .trace = options.trace,
                         .keep_weights = options.keep_weights,
                         .max_fail = options.max_fail,
                         .ranks = options.ranks,
                         .place = options.place},
                        results, state, view);
  supervisor.run(std::move(waiting));
  const double wall_s = state.wall_s(), slots_s = wall_s * static_cast<double>(jobs);
  state.set_phase(supervisor.signal() != 0 || supervisor.stopped_by_failures() ? "interrupted" : "finished");
  view.ended(state);
  const bool all_ok =
      std::ranges::all_of(selected, [&](const Cell* cell) { return results.status(*cell) == Status::kOk; });
  int code = supervisor.signal() != 0 ? 128 + supervisor.signal() : all_ok ? 0 : kCellNotOk;
  try {
    results.save();
    remove_checkpoints(out, results, cells);
  } catch (const Error& e) {  // what was measured is shown all the same
    view.notice(std::string("roclip-bench: ") + e.what());
    code = e.exit_code();
  }
  if (options.json) {
    const Json summary = {{"name", matrix.name},
                          {"exit_code", code},
                          {"results", out.results_file().string()},
                          {"jobs", jobs},
                          {"wall_s", wall_s},
                          {"cells_s", supervisor.cells_s()},
                          {"scheduling_overhead", slots_s > 0 ? 1 - supervisor.cells_s() / slots_s : 0},
                          {"idle_at_end", slots_s > 0 ? supervisor.idle_at_end_s() / slots_s : 0},
                          {"cells", state.snapshot().at("cells")}};
    std::cout << summary.dump(2) << "\n";
  } else {
    std::fputs(render_text(summarise(study_of(results.result(), out.root))).c_str(), stdout);
  }
  if (supervisor.signal() != 0 || supervisor.stopped_by_failures()) {
    view.notice("stopped: " + std::to_string(state.ok()) + " of " + std::to_string(selected.size()) +
                " cells done; checkpoints are kept, to continue:\n  " + shell_command(options.command_line));
  }
  return code;
}

}  // namespace

int run_matrix(const RunOptions& options) {
  const Dismissal dismissal(options.place);
  return run_cells(load_matrix(options.matrix), options, {});
}

int run_until_decided(const RunOptions& options, std::int64_t most_seeds) {
  Matrix matrix = load_matrix(options.matrix);
  if (matrix.gates.empty()) throw Error(ErrorKind::kMatrix, matrix.where("/gates") + ": is missing; nothing to decide");
  const auto out = options.out.empty() ? default_out(matrix) : options.out;
  matrix.looks = std::max<std::int64_t>(1, most_seeds - std::ssize(matrix.seeds) + 1);
  for (std::set<Place> added;;) {
    if (const int code = run_cells(matrix, options, added); code != 0) return code;
    const auto study = load_study({out});
    const auto verdicts = check(study, matrix.gates, matrix.folder());
    std::fputs(render_text(verdicts).c_str(), stdout);
    added.clear();
    for (const auto& verdict : verdicts) {
      if (verdict.outcome != Outcome::kInconclusive || !verdict.next_seed || verdict.seeds >= most_seeds) continue;
      for (const auto& defense : {verdict.gate.defense, study.defenses.front()}) {
        added.emplace(verdict.gate.attack, defense, *verdict.next_seed);
      }
      for (auto* seeds : {&matrix.seeds, &matrix.added_seeds}) {
        if (std::ranges::find(*seeds, *verdict.next_seed) != seeds->end()) break;
        if (seeds == &matrix.added_seeds) seeds->push_back(*verdict.next_seed);
      }
    }
    if (exit_code(verdicts) != 12 || added.empty()) return exit_code(verdicts);
  }
}

}  // namespace roclip::bench
