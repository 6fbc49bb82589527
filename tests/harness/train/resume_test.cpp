#include <filesystem>
#include <fstream>
#include <set>

#include <catch2/catch.hpp>

#include "training.h"

using namespace roclip;
using namespace roclip::bench;

TEST_CASE("training that is stopped at any step and resumed ends with the bits of one that was not",
          "[train][resume]") {
  for (const auto& [name, params] : kTrainings) {
    CAPTURE(name, params.dump());
    const auto undisturbed = trained(name, params, 5);
    for (const std::int64_t steps : {1, 6, 7, 8, 20, 28}) {  // 7 steps an epoch, 4 epochs
      CAPTURE(steps);
      const ScratchFolder folder;
      CheckpointStore checkpoints(folder / "checkpoints", {});
      CHECK_THROWS_AS(trained(name, params, 5, stopping_after(steps, checkpoints)), Interrupted);
      const auto resumed = trained(name, params, 5, stopping_after(1000, checkpoints));
      CHECK(resumed.weights == undisturbed.weights);
      CHECK(resumed.report.resumed == 1);
      CHECK(resumed.report.stages.at(0).trained_by == "me");
      REQUIRE(resumed.report.epochs.size() == 4);
      for (std::size_t e = 0; e < 4; ++e) CHECK(resumed.report.epochs[e].loss == undisturbed.report.epochs[e].loss);
    }
  }
}

TEST_CASE("a training stopped again and again still ends with the same bits", "[train][resume]") {
  const auto& [name, params] = kTrainings[2];
  const ScratchFolder folder;
  CheckpointStore checkpoints(folder / "checkpoints", {.every_s = 0, .every_epochs = 1});
  std::int64_t stops = 0;
  std::string weights;
  while (weights.empty()) {
    try {
      weights = trained(name, params, 5, stopping_after(3, checkpoints)).weights;
    } catch (const Interrupted&) {
      ++stops;
    }
  }
  CHECK(stops == 28 / 3);
  CHECK(weights == trained(name, params, 5).weights);
}

TEST_CASE("a finished training is taken from its last checkpoint without a step", "[train][resume]") {
  const ScratchFolder folder;
  CheckpointStore checkpoints(folder / "checkpoints", {});
  const auto first = trained("clip", Json::object(), 5, stopping_after(1000, checkpoints));
  const auto second = trained("clip", Json::object(), 5, stopping_after(1, checkpoints));  // one step would stop it
  CHECK(second.weights == first.weights);
  CHECK(second.report.steps() == first.report.steps());
}

TEST_CASE("two checkpoints are kept, and a damaged one is passed over for the one before", "[train][resume]") {
  const ScratchFolder folder;
  CheckpointStore checkpoints(folder / "checkpoints", {.every_s = 0, .every_epochs = 1});
  const auto undisturbed = trained("clip", Json::object(), 5, stopping_after(1000, checkpoints));
  std::set<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(folder / "checkpoints")) files.insert(file.path());
  REQUIRE(files.size() == 2);
  SECTION("with a byte changed") {
    std::fstream newest(*files.rbegin(), std::ios::in | std::ios::out | std::ios::binary);
    newest.seekp(5000);
    newest.put('!');
  }
  SECTION("cut short") { std::filesystem::resize_file(*files.rbegin(), 100); }
  const auto resumed = trained("clip", Json::object(), 5, stopping_after(1000, checkpoints));
  CHECK(resumed.report.resumed == 1);
  CHECK(resumed.weights == undisturbed.weights);
}
