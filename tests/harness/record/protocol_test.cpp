#include <catch2/catch.hpp>

#include "harness/record/protocol.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

Cell cell() {
  Cell result;
  result.id = "none-clip-s1-0123456789";
  result.attack = "none";
  result.defense = "clip";
  result.seed = 1;
  result.requested = Json::object();
  result.config = {{"seed", 1}};
  result.limits.time_s = 5;
  return result;
}

/// What is written is read, and written, as the same.
template <class Kind>
void comes_back(const Kind& event) {
  const auto line = write_event(event);
  CHECK(line.back() == '\n');
  const auto read = read_event(line);
  CHECK(std::holds_alternative<Kind>(read));
  CHECK(write_event(read) == line);
}

}  // namespace

TEST_CASE("every event is read as it was written", "[record][protocol]") {
  comes_back(Warning{"slow"});
  comes_back(Expanded{.devices = {"cpu"}, .cells = {cell()}, .builds = {{"clip/1", "ab"}}});
  comes_back(PrepareProgress{"decoding images", 3, 10});
  comes_back(DataReady{.data_hash = "cd",
                       .data = {{"hash", "ab"}},
                       .trainings = {{cell().id, "ef"}},
                       .pairs = {{cell().id, 30}},
                       .checkpoints = {"ef"}});
  comes_back(Planning{"none"});
  comes_back(Planned{"none", 16});
  comes_back(PlanFailed{"none", "cannot"});
  comes_back(
      TrainProgress{.stage = "plain", .epoch = 1, .epochs = 2, .step = 3, .steps = 4, .loss = 0.5, .pairs_per_s = 6});
  comes_back(Finished{{{"status", "ok"}}});
  comes_back(Stopped{});
  comes_back(Joined{3, cell().id});
  comes_back(TaskFailed{ErrorKind::kData, "no such file"});
}

TEST_CASE("every task is read as it was written, and what is none is named", "[record][protocol]") {
  const CellTask task{.cell = cell(),
                      .out = "out",
                      .plugin_path = {"mine"},
                      .checkpoint = {},
                      .cpu = 3,
                      .loader_threads = 3,
                      .trace = "",
                      .keep_weights = true,
                      .command_line = {},
                      .ranks = {.size = 2, .port = 5},
                      .work = 6,
                      .supervisor = 4};
  const auto text = write_task(task);
  const auto read = read_task(Json::parse(text));
  CHECK(write_task(read) == text);
  CHECK(std::get<CellTask>(read).cell.limits.time_s == 5);
  const auto prepare =
      write_task(PrepareTask{.matrix = {{"name", "m"}}, .file = "m.json", .out = "out", .plugin_path = {}});
  CHECK(write_task(read_task(Json::parse(prepare))) == prepare);
  for (const Task& of_ranks :
       {Task(RankTask{.ranks = {.rank = 1, .size = 2}, .plugin_path = {"mine"}}), Task(DismissTask{})}) {
    CHECK(write_task(read_task(Json::parse(write_task(of_ranks)))) == write_task(of_ranks));
  }
  CHECK_THROWS_WITH(read_task({{"task", "nonsense"}}), "unknown task \"nonsense\"");
  CHECK_THROWS_AS(read_task({{"task", "cell"}}), Error);
}

TEST_CASE("what is no event throws", "[record][protocol]") {
  for (const char* line : {"garbage", "[]", "{}", R"({"event": "nonsense"})", R"({"event": "planned"})", "3"}) {
    CHECK_THROWS(read_event(line));
  }
}
