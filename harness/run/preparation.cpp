#include "harness/run/preparation.h"

#include <array>
#include <csignal>
#include <cstring>

#include <poll.h>
#include <sys/wait.h>

#include "roclip/error.h"

namespace roclip::bench {

namespace {

void take(const Json& event, Preparation& preparation, RunListener& listener) {
  if (event.contains("error")) {
    const Json& error = event.at("error");
    throw Error(static_cast<ErrorKind>(error.at("kind").get<int>()), error.at("message"));
  }
  if (event.contains("warning")) listener.notice(event.at("warning"));
  if (event.contains("progress")) listener.preparing(event.at("progress"), event.at("done"), event.at("total"));
  if (event.contains("devices")) event.at("devices").get_to(preparation.devices);
  if (event.contains("data_hash")) event.at("data_hash").get_to(preparation.data_hash);
  if (event.contains("trainings")) event.at("trainings").get_to(preparation.trainings);
  if (event.contains("builds")) event.at("builds").get_to(preparation.builds);
  if (event.contains("trials")) event.at("trials").get_to(preparation.trials);
  if (event.contains("hopeless")) preparation.hopeless.insert(event.at("hopeless").get<std::string>());
  if (event.contains("cells")) preparation.cells = cells_from_json(event.at("cells"));
}

}  // namespace

std::string how_it_ended(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    return "ended by signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
  }
  return "exited with code " + std::to_string(WEXITSTATUS(wait_status));
}

std::optional<Preparation> prepare(const Matrix& matrix, const PreparationOptions& options, Nursery& nursery,
                                   const Signals& signals, RunListener& listener, int& signal) {
  Json written = matrix.written;
  written["seeds"] = matrix.seeds;
  for (const auto seed : matrix.added_seeds) written["seeds"].push_back(seed);
  const Json task = {{"task", "prepare"},
                     {"matrix", std::move(written)},
                     {"file", matrix.file.string()},
                     {"out", options.out.string()},
                     {"plugin_path", options.plugin_path},
                     {"device", options.device},
                     {"make_data", options.make_data}};
  constexpr double kPatience_s = 5;
  const double limit_s = matrix.limits.time_s;
  Worker worker(nursery, task, /*log=*/"");
  Preparation preparation;
  std::string doing;
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
      for (const auto& event : worker.read()) {
        try {
          take(event, preparation, listener);
          if (event.contains("doing")) event.at("doing").get_to(doing);
        } catch (const Json::exception&) {  // a plugin wrote to a descriptor that is not its own
        }
        last_event_s = worker.running_s();
      }
    }
    const double silent_s = worker.running_s() - last_event_s;
    if (silent_s > kPatience_s && !is_told && !doing.empty()) {
      is_told = true;
      listener.notice(
          doing + " takes long; " +
          (limit_s > 0 ? "it is ended after " + show_duration(limit_s) : "\"limits\": {\"time_s\": ...} would end it"));
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
  const std::string what = "the preparation " + how + (doing.empty() ? "" : ", " + doing) +
                           (output.empty() ? "" : "; its last output: ") + output;
  if (preparation.cells.empty()) {
    throw Error(ErrorKind::kPlugin, what +
                                        "\n  Probably a plugin did it while it was loaded; `roclip-bench plugin list` "
                                        "names their files, `roclip-bench plugin validate FILE` loads one");
  }
  listener.notice("WARNING: " + what + "; going on, and the cells that need it will tell");
  return preparation;
}

}  // namespace roclip::bench
