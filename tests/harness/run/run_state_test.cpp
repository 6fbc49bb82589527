#include <catch2/catch.hpp>

#include "harness/run/run_state.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

Cell cell(const std::string& defense) {
  Cell result;
  result.id = "none-" + defense;
  result.attack = "none";
  result.defense = defense;
  result.seed = 1;
  return result;
}

}  // namespace

TEST_CASE("a snapshot counts what is done, running and left, and tells every trouble", "[run]") {
  const Cell a = cell("a"), b = cell("b"), c = cell("c");
  RunState state("study", "cpu", {.cells = 5, .done = 2, .jobs = 2});
  state.started(a, 100);
  state.started(b, 101);
  state.progressed(
      a, {.stage = "plain", .epoch = 1, .epochs = 2, .step = 5, .steps = 10, .loss = 1.5, .pairs_per_s = 640});
  state.finished(b, "crashed", "signal 11");
  const Json snapshot = state.snapshot();
  CHECK(snapshot.at("cells") == Json{{"total", 5}, {"ok", 2}, {"not_ok", 1}, {"running", 1}, {"left", 2}});
  CHECK(snapshot.at("trouble") == Json{{{"id", "none-b"}, {"status", "crashed"}, {"reason", "signal 11"}}});
  CHECK(snapshot.at("running")[0].at("worker") == 100);

  const auto lines = status_lines(snapshot, 0, false);
  REQUIRE(lines.size() == 2);
  CHECK_THAT(lines[0], Contains("none x a, seed 1") && Contains("[##########          ] epoch 1/2  loss 1.500"));
  CHECK_THAT(lines[1], Contains("2 of 5 cells done, 1 not ok, 2 left"));
  CHECK(status_lines(snapshot, 10, false)[0].size() == 10);
}

TEST_CASE("an interrupted cell waits again", "[run]") {
  const Cell a = cell("a");
  RunState state("study", "cpu", {.cells = 1});
  state.started(a, 100);
  state.interrupted(a);
  CHECK(state.left() == 1);
  CHECK(state.snapshot().at("running").empty());
}

TEST_CASE("no time left is told before a cell tells how far it is", "[run]") {
  const Cell a = cell("a");
  RunState state("study", "cpu", {.cells = 2});
  state.started(a, 100);
  CHECK(state.seconds_left() == 0);
}

TEST_CASE("colors are escape sequences around the text, and only when wanted", "[run]") {
  CHECK(colored("ok", "ok", false) == "ok");
  CHECK(colored("ok", "ok", true) == "\x1b[32mok\x1b[0m");
  CHECK(colored("x", "crashed", true) == "\x1b[31mx\x1b[0m");
}

TEST_CASE("durations are shown in the two units that matter", "[run]") {
  CHECK(show_duration(48.2) == "48 s");
  CHECK(show_duration(200) == "3 min 20 s");
  CHECK(show_duration(7500) == "2 h 05 min");
}
