#include <csignal>

#include <poll.h>
#include <sys/wait.h>
#include <catch2/catch.hpp>

#include "harness/record/files.h"
#include "harness/run/preparation.h"
#include "harness/run/worker.h"
#include "support/scratch_folder.h"

using namespace roclip::bench;
using Catch::Contains;

namespace {

/// All that a worker tells, and how it ended.
std::pair<std::vector<Json>, int> ended(Worker& worker) {
  pollfd end{worker.end_descriptor(), POLLIN, 0};
  REQUIRE(::poll(&end, 1, 60000) == 1);
  auto events = worker.read();
  return {std::move(events), worker.reap()};
}

}  // namespace

TEST_CASE("a worker takes a task and tells what is wrong with it", "[run][worker]") {
  Nursery nursery;
  Worker worker(nursery, {{"task", "nonsense"}}, "");
  const auto [events, status] = ended(worker);
  REQUIRE(events.size() == 1);
  CHECK(events[0].contains("error"));
  CHECK(how_it_ended(status) == "exited with code 1");
}

TEST_CASE("a nursery that was killed is replaced", "[run][worker]") {
  Nursery nursery;
  for (int i = 0; i < 2; ++i) {
    Worker worker(nursery, {{"task", "nonsense"}}, "");
    CHECK(ended(worker).first.size() == 1);
    ::kill(nursery.pid(), SIGKILL);
  }
}

TEST_CASE("a worker that is destroyed is killed", "[run][worker]") {
  const ScratchFolder folder;
  Nursery nursery;
  pid_t pid = 0;
  {
    // Waits for a task that never ends: its standard input is the pipe that this process holds.
    Worker worker(nursery, {{"task", "prepare"}, {"matrix", "/dev/zero"}}, folder / "log");
    pid = worker.pid();
    CHECK(::kill(pid, 0) == 0);
  }
  CHECK(::kill(pid, 0) != 0);
}
