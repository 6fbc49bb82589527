#include <csignal>
#include <cstdio>
#include <optional>

#include <poll.h>

#include "harness/run/run.h"
#include "harness/run/worker.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

/// What a worker told in its life.
struct Told {
  std::optional<Joined> joined;
  std::string failure;

  void take(const Event& event) {
    if (const auto* start = std::get_if<Joined>(&event)) joined = *start;
    if (const auto* end = std::get_if<TaskFailed>(&event)) failure = end->message;
    if (const auto* end = std::get_if<Finished>(&event)) failure = end->record.at("reason");
  }
};

}  // namespace

int join_ranks(const RankPlace& place, const std::vector<std::filesystem::path>& plugin_path) {
  const Signals signals;
  const auto name = "rank " + std::to_string(place.rank) + " of " + std::to_string(place.size);
  std::fprintf(stderr, "%s: trains what rank 0 does, which is at %s:%d\n", name.c_str(), place.address.c_str(),
               place.port);
  RankTask task{.ranks = place, .plugin_path = plugin_path};
  for (int signal = 0;;) {
    Worker worker(task, /*log=*/"");
    Told told;
    for (bool ended = false; !ended;) {
      pollfd wait[] = {{signals.descriptor(), POLLIN, 0},
                       {worker.events_descriptor(), POLLIN, 0},
                       {worker.end_descriptor(), POLLIN, 0}};
      ::poll(wait, std::size(wait), /*forever*/ -1);
      if (const auto taken = signals.take()) {
        worker.signal(signal == 0 ? SIGTERM : SIGKILL);
        signal = *taken;
      }
      ended = wait[2].revents != 0;
      for (const auto& event : worker.read()) told.take(event);
    }
    const int status = worker.reap();
    if (signal != 0) return 128 + signal;
    if (status != 0 && told.failure.empty())
      told.failure = "the worker " + how_it_ended(status) + "; " + worker.last_output();
    if (!told.joined) throw Error(ErrorKind::kInternal, name + ": " + told.failure);
    if (told.joined->cell.empty()) return 0;
    if (!told.failure.empty())
      std::fprintf(stderr, "%s: %s: %s\n", name.c_str(), told.joined->cell.c_str(), told.failure.c_str());
    task.last = told.joined->work;
  }
}

}  // namespace roclip::bench
