#include "finetune.h"

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::finetune_test {

namespace {

FakeClip axes() { return FakeClip({{"east", {1, 0, 0}}, {"north", {0, 1, 0}}}); }
const Stage kTraining{.epochs = 3, .batch_size = 8, .learning_rate = 0.5, .warmup_share = 0.2};

}  // namespace

TEST_CASE("finetune trains as plain CLIP first, then fine-tunes what was trained once", "[defense][finetune]") {
  FinetuneDefense::Params params;
  params.epochs = 7;
  params.learning_rate = 0.25;
  const auto stages = FinetuneDefense(params).stages(kTraining);
  REQUIRE(stages.size() == 2);
  Stage plain = kTraining;
  plain.plain = true;
  CHECK(stages[0] == plain);
  CHECK(stages[1] ==
        Stage{.name = "finetune_1", .epochs = 7, .batch_size = 8, .learning_rate = 0.25, .warmup_share = 0.1});
  CHECK(FinetuneDefense(params).capability() == Capability::kCleanSubset);
}

TEST_CASE("finetune takes batch and peak from the training where they are 0", "[defense][finetune]") {
  FinetuneDefense::Params params;
  params.batch_size = 5;
  params.learning_rate = 0;
  const auto stages = FinetuneDefense(params).stages(kTraining);
  CHECK(stages[1].batch_size == 5);
  CHECK(stages[1].learning_rate == 0.5);
}

TEST_CASE("super-fine-tuning is four cycles at the peak of training and six at a fiftieth of it",
          "[defense][finetune]") {
  const auto params = read_params<FinetuneDefense::Params>({{"recipe", "super_finetune"}}, "test");
  const auto stages = FinetuneDefense(params).stages(kTraining);
  REQUIRE(stages.size() == 11);
  for (std::size_t i = 1; i < stages.size(); ++i) {
    CAPTURE(i);
    CHECK(stages[i].name == (i <= 4 ? "finetune_" + std::to_string(i) : "recover_" + std::to_string(i - 4)));
    CHECK(stages[i].epochs == 10);
    CHECK(stages[i].warmup_share == 0.5);
    CHECK(stages[i].learning_rate == Approx(i <= 4 ? 0.5 : 0.01));
    CHECK(stages[i].weights == Stage::Weights::kKeep);
    CHECK_FALSE(stages[i].plain);
  }
}

TEST_CASE("an epoch of finetune is the clean subset once, in another order each time", "[defense][finetune]") {
  auto model = axes();
  ToySurroundings toy(model, std::vector<std::string>(50, "east"));
  for (std::int64_t i = 0; i < 20; ++i) toy.clean_subset.push_back(2 * i + 1);
  FinetuneDefense defense({});
  const auto first = defense.choose_samples(toy.context), second = defense.choose_samples(toy.context);
  CHECK(torch::equal(std::get<0>(first.sort()), torch::tensor(toy.clean_subset)));
  CHECK_FALSE(torch::equal(first, second));
}

TEST_CASE("finetune says so when the clean subset is smaller than a batch", "[defense][finetune]") {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north", "east"});
  toy.clean_subset = {1};
  FinetuneDefense defense({});
  CHECK_THROWS_WITH(defense.choose_samples(toy.context), Catch::Contains("at least a batch of 2 pairs, got 1"));
}

}  // namespace roclip::finetune_test
