#include "harness/run/preparation.h"

#include <array>
#include <csignal>

#include <poll.h>
#include <sys/wait.h>

#include "roclip/error.h"

namespace roclip::bench {

namespace {

/// What an event adds to what is known, and to what a person is told.
struct Taker {
  Preparation& preparation;
  ProgressView& view;
  std::string& doing;

  void operator()(const Warning& event) { view.notice(event.text); }
  void operator()(const PrepareProgress& event) { view.preparing(event.what, event.done, event.total); }
  void operator()(Expanded& event) { static_cast<Expanded&>(preparation) = std::move(event); }
  void operator()(DataReady& event) { static_cast<DataReady&>(preparation) = std::move(event); }
  void operator()(const Planning& event) { doing = "planning " + event.attack; }
  void operator()(const Planned& event) { preparation.trials[event.attack] = event.trials; }
  void operator()(const PlanFailed& event) {
    preparation.plan_failed.insert(event.attack);
    view.notice("WARNING: " + event.attack + " cannot plan, so its cells will fail: " + event.reason);
  }
  void operator()(const TaskFailed& event) { throw Error(event.kind, event.message); }
  void operator()(const auto& /*event of a cell*/) {}
};

}  // namespace

std::optional<Preparation> prepare(const Matrix& matrix, PrepareTask task, const Signals& signals, ProgressView& view,
                                   int& signal) {
  task.file = matrix.file;
  task.matrix = matrix.written;
  task.matrix["seeds"] = matrix.seeds;
  for (const auto seed : matrix.added_seeds) task.matrix["seeds"].push_back(seed);
  constexpr double kPatience_s = 5;
  constexpr int kNotStarted = 127;  // the dynamic linker found a library missing
  const double limit_s = matrix.limits.time_s;
  Worker worker(std::move(task), /*log=*/"");
  Preparation preparation;
  std::string doing;
  Taker take{preparation, view, doing};
  double last_event_s = 0;
  bool is_told = false, hangs = false;
  for (bool ended = false; !ended;) {
    std::array<pollfd, 3> wait = {pollfd{signals.descriptor(), POLLIN, 0},
                                  pollfd{worker.events_descriptor(), POLLIN, 0},
                                  pollfd{worker.end_descriptor(), POLLIN, 0}};
    ::poll(wait.data(), wait.size(), 250);
    if (const auto taken = signals.take()) {
      signal = *taken;
      return std::nullopt;
    }
    ended = wait[2].revents != 0;
    if (wait[1].revents != 0 || ended) {
      for (auto& event : worker.read()) {
        std::visit(take, event);
        last_event_s = worker.running_s();
      }
    }
    const double silent_s = worker.running_s() - last_event_s;
    if (silent_s > kPatience_s && !is_told && !doing.empty()) {
      is_told = true;
      view.notice(doing + " takes long; " +
                  (limit_s > 0 ? "it is stopped after " + show_duration(limit_s) + " (limits/time_s)"
                               : "to stop it after a while, set \"limits\": {\"time_s\": ...}"));
    }
    if (!ended && limit_s > 0 && silent_s > limit_s) {
      hangs = true;
      worker.signal(SIGKILL);
    }
  }
  const int status = worker.reap();
  if (status == 0) return preparation;
  const std::string output = worker.last_output();
  const std::string how =
      hangs ? "took longer than " + show_duration(limit_s) + ", the limit of limits/time_s" : how_it_ended(status);
  const std::string what = "the preparation " + how + (doing.empty() ? "" : " while " + doing) +
                           (output.empty() ? "" : "; its last output: ") + output;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotStarted) {
    throw Error(ErrorKind::kInternal,
                "roclip-bench-engine does not start: " + output + "; `roclip-bench doctor` says what to do");
  }
  if (preparation.cells.empty()) {
    throw Error(ErrorKind::kPlugin, what +
                                        "\n  A plugin probably crashed while it was loaded. `roclip-bench plugin list` "
                                        "names the files, `roclip-bench plugin validate FILE` loads one.");
  }
  view.notice("WARNING: " + what + "; the run continues, and the cells that need it will fail with the reason");
  return preparation;
}

}  // namespace roclip::bench
