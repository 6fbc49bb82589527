#include <csignal>

#include <poll.h>
#include <sys/wait.h>
#include <catch2/catch.hpp>

#include "harness/run/worker.h"
#include "support/scratch_folder.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

TEST_CASE("a worker takes a task and tells what is wrong with it", "[run][worker]") {
  Worker worker(PrepareTask{.matrix = {{"name", "x"}}, .file = "m.json", .out = "", .plugin_path = {}}, "");
  pollfd end{worker.end_descriptor(), POLLIN, 0};
  REQUIRE(::poll(&end, 1, 60000) == 1);
  const auto events = worker.read();
  REQUIRE_FALSE(events.empty());
  const auto* failed = std::get_if<TaskFailed>(&events.back());
  REQUIRE(failed != nullptr);
  CHECK(failed->kind == ErrorKind::kMatrix);
  CHECK_THAT(failed->message, Contains("m.json"));
  CHECK(how_it_ended(worker.reap()) == "exited with code 3");
}

TEST_CASE("a worker that is destroyed is killed", "[run][worker]") {
  const ScratchFolder folder;
  pid_t pid = 0;
  {
    Worker worker(PrepareTask{.out = "", .plugin_path = {}}, folder / "log");  // loads LibTorch meanwhile
    pid = worker.pid();
    CHECK(::kill(pid, 0) == 0);
  }
  CHECK(::kill(pid, 0) != 0);
}
