#include "harness/run/run.h"
#include "harness/study/select.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <set>
#include <tuple>

#include "harness/record/files.h"
#include "harness/report/check.h"
#include "harness/report/render.h"
#include "harness/run/folder_lock.h"
#include "harness/run/supervisor.h"
#include "harness/study/gates.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

/// Tells several.
class Listeners : public RunListener {
 public:
  void add(std::unique_ptr<RunListener> listener) { all_.push_back(std::move(listener)); }
  void notice(const std::string& text) override { tell(&RunListener::notice, text); }
  void preparing(const std::string& what, std::int64_t done, std::int64_t total) override {
    tell(&RunListener::preparing, what, done, total);
  }
  void begun(const RunState& state) override { tell(&RunListener::begun, state); }
  void started(const RunState& state, const Cell& cell) override { tell(&RunListener::started, state, cell); }
  void progressed(const RunState& state, const Cell& cell, const CellProgress& progress) override {
    tell(&RunListener::progressed, state, cell, progress);
  }
  void finished(const RunState& state, const Cell& cell, const Json& record) override {
    tell(&RunListener::finished, state, cell, record);
  }
  void interrupted(const RunState& state, const Cell& cell) override { tell(&RunListener::interrupted, state, cell); }
  void tick(const RunState& state) override { tell(&RunListener::tick, state); }
  void ended(const RunState& state) override { tell(&RunListener::ended, state); }

 private:
  template <class Method, class... Arguments>
  void tell(Method method, const Arguments&... arguments) {
    for (const auto& listener : all_) (listener.get()->*method)(arguments...);
  }
  std::vector<std::unique_ptr<RunListener>> all_;
};

bool must_run(const Json& stored, const RunOptions& options) {
  if (stored.is_null() || options.rerun) return true;
  const std::string status = stored.at("status");
  if (status == "ok") return false;
  return !options.retry || std::ranges::find(*options.retry, status) != options.retry->end();
}

std::string quoted(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    const bool plain = word.find_first_of(" \t\"'\\$&|;<>()*?") == std::string::npos && !word.empty();
    text += (text.empty() ? "" : " ") + (plain ? word : "'" + word + "'");
  }
  return text;
}

/// Checkpoints are of no use once every cell of the matrix is done.
void remove_checkpoints(const OutputFolder& out, const ResultTable& results, const std::vector<Cell>& cells) {
  if (!std::ranges::all_of(cells, [&](const Cell& cell) { return results.status(cell) == "ok"; })) return;
  std::error_code ignored;
  std::filesystem::remove_all(out.checkpoint_folder(""), ignored);
}

}  // namespace

void OtherBuilds::look_at(const Json& stored, const std::map<std::string, std::string>& builds) {
  if (!stored.is_object() || !stored.contains("plugins")) return;
  bool is_other = false;
  for (const auto& [id, plugin] : stored.at("plugins").items()) {
    const auto now = builds.find(id);
    if (now == builds.end() || now->second == plugin.value("file_hash", now->second)) continue;
    ids_.insert(id);
    is_other = true;
  }
  results_ += is_other;
}

std::string OtherBuilds::told() const {
  if (results_ == 0) return "";
  std::string names;
  for (const auto& id : ids_) names += (names.empty() ? "" : ", ") + id;
  return counted(results_, "result") + " kept from another build of " + names +
         "; if its code gives other numbers now, raise the revision in its id, or use run --rerun";
}

std::filesystem::path default_out(const Matrix& matrix) { return matrix.folder() / "out"; }

namespace {

/// Row, column and seed of a cell.
using Place = std::tuple<std::string, std::string, std::int64_t>;

/// @param places the cells to run; empty: those of options.only
int run_cells(const Matrix& matrix, const RunOptions& options, const std::set<Place>& places) {
  const Signals signals;
  ::signal(SIGXFSZ, SIG_IGN);
  const OutputFolder out{options.out.empty() ? default_out(matrix) : options.out};
  Listeners listeners;
  listeners.add(std::make_unique<ProgressView>(options.progress, options.color));
  if (options.events) listeners.add(std::make_unique<EventStream>(stdout));
  if (std::filesystem::exists(out.root) && FolderLock::holder(out.root)) FolderLock{out.root};  // says who, at once

  Nursery nursery;
  int signal = 0;
  const auto prepared = prepare(matrix, {.out = out.root, .plugin_path = options.plugin_path, .device = options.device},
                                nursery, signals, listeners, signal);
  if (!prepared) return 128 + signal;
  const auto& cells = prepared->cells;
  auto selected = select(cells, places.empty() ? options.only : std::vector<std::string>());
  if (!places.empty()) {
    std::erase_if(selected, [&](const Cell* cell) {
      return !places.contains({cell->attack, cell->defense, cell->seed});
    });
  }
  out.create();
  const FolderLock lock(out.root);
  out.remove_leftovers();
  listeners.add(std::make_unique<StatusFile>(out.status_file()));

  ResultTable results(matrix, cells, out);
  std::vector<const Cell*> waiting;
  std::set<const Cell*> chosen(selected.begin(), selected.end());
  std::int64_t done = 0;
  OtherBuilds other_builds;
  for (const auto& cell : cells) {
    const Json stored = stored_result(out, cell, prepared->data_hash);
    if (chosen.contains(&cell) && must_run(stored, options)) {
      waiting.push_back(&cell);
    } else {
      results.set(cell, stored);
      done += chosen.contains(&cell) && stored.at("status") == "ok";
      other_builds.look_at(stored, prepared->builds);
    }
  }
  Timings timings;
  sort_longest_first(waiting, timings, prepared->devices.front());
  const auto devices = job_devices(options.jobs, prepared->devices, waiting.size());
  RunState state(matrix.name, prepared->devices.front(),
                 {.cells = static_cast<std::int64_t>(selected.size()),
                  .done = done,
                  .jobs = static_cast<std::int64_t>(devices.size())},
                 waiting, timings);
  const double expected_s = waiting.empty() ? 0 : state.seconds_left();
  listeners.notice(matrix.name + ": " + counted(std::ssize(selected), "cell") + ", " + std::to_string(done) +
                   " already done, " + std::to_string(waiting.size()) + " to run on " + prepared->devices.front() +
                   ", " + std::to_string(devices.size()) + " at a time" +
                   (expected_s > 0 ? ", about " + show_duration(expected_s) : "") + "; results in " +
                   out.root.string());
  if (const auto told = other_builds.told(); !told.empty()) listeners.notice(told);
  listeners.begun(state);

  for (const Cell* cell : selected) {
    if (std::ranges::find(waiting, cell) == waiting.end() && results.status(*cell) != "ok") {
      state.finished(*cell, results.status(*cell), "kept from an earlier run");
    }
  }

  Supervisor supervisor(nursery, signals, out,
                        {.devices = devices,
                         .plugin_path = options.plugin_path,
                         .trainings = prepared->trainings,
                         .checkpoint = matrix.checkpoint,
                         .command_line = options.command_line,
                         .trace = options.trace,
                         .max_fail = options.max_fail},
                        results, state, timings, listeners);
  supervisor.run(std::move(waiting));
  timings.save();
  const double wall_s = state.wall_s(), slots_s = wall_s * static_cast<double>(devices.size());
  state.set_phase(supervisor.signal() != 0 || supervisor.stopped_by_failures() ? "interrupted" : "finished");
  listeners.ended(state);
  const bool all_ok = std::ranges::all_of(selected, [&](const Cell* cell) { return results.status(*cell) == "ok"; });
  int code = supervisor.signal() != 0 ? 128 + supervisor.signal() : all_ok ? 0 : kSomeCellsNotOk;
  try {
    results.save();
    remove_checkpoints(out, results, cells);
  } catch (const Error& e) {  // what was measured is shown all the same
    listeners.notice(std::string("roclip-bench: ") + e.what());
    code = e.exit_code();
  }
  if (options.json) {
    const Json summary = {{"name", matrix.name},
                          {"exit_code", code},
                          {"results", out.results_file().string()},
                          {"jobs", devices.size()},
                          {"wall_s", wall_s},
                          {"cells_s", supervisor.cells_s()},
                          {"scheduling_overhead", slots_s > 0 ? 1 - supervisor.cells_s() / slots_s : 0},
                          {"idle_at_end", slots_s > 0 ? supervisor.idle_at_end_s() / slots_s : 0},
                          {"cells", state.snapshot().at("cells")}};
    std::cout << summary.dump(2) << "\n";
  } else if (!options.events) {
    std::fputs(render_text(summarise(study_of(results.result(), out.root))).c_str(), stdout);
  }
  if (supervisor.signal() != 0 || supervisor.stopped_by_failures()) {
    listeners.notice("stopped: " + std::to_string(state.ok()) + " of " + std::to_string(selected.size()) +
                     " cells done; nothing is lost, go on with\n  " + quoted(options.command_line));
  }
  return code;
}

}  // namespace

int run_matrix(const RunOptions& options) { return run_cells(load_matrix(options.matrix), options, {}); }

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
