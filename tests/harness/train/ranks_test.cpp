#include <catch2/catch.hpp>

#include "support/over_ranks.h"
#include "training.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

struct Training {
  std::string defense;
  Json params = Json::object();
  Json training = Json::object();  ///< its section of a matrix
};

std::vector<OfRank<Outcome>> trained_over(int size, const Training& what, const TrainHooks& of_first = {}) {
  return over_ranks<Outcome>(size, [&](const Ranks& ranks, int rank) {
    const auto defense = registry().make_defense(what.defense, what.params);
    return trained(*defense, 1, rank == 0 ? of_first : TrainHooks{}, false, {ranks, what.training});
  });
}

/// Of what is learned, as shares of values above 1.
double distance(const Outcome& a, const Outcome& b) {
  double most = 0;
  const auto measure = [&](const torch::Tensor& x, const torch::Tensor& y) {
    most = std::max(most, ((x - y).abs() / y.abs().clamp_min(1)).max().item<double>());
  };
  for (const auto& [name, tensor] : a.values) {
    const auto& other = b.values.at(name);
    if (name.ends_with("in_proj_bias")) {
      // That of the keys moves all scores of a query alike: its gradient is rounding, of which Adam makes whole steps.
      const auto x = tensor.chunk(3), y = other.chunk(3);
      measure(x[0], y[0]);
      measure(x[2], y[2]);
    } else {
      measure(tensor, other);
    }
  }
  for (std::size_t e = 0; e < a.report.epochs.size(); ++e) {
    most = std::max(most, std::abs(a.report.epochs[e].loss - b.report.epochs.at(e).loss));
  }
  return most;
}

}  // namespace

TEST_CASE("two and four ranks learn what one process does on the whole batch, under every kind of defense",
          "[train][ranks]") {
  // Adam's usual epsilon of 1e-8 makes whole steps of gradients that are nothing but rounding.
  const Json calm = {{"epsilon", 1e-4}, {"learning_rate", 2e-4}, {"epochs", 2}};
  std::vector<Training> trainings;
  for (const auto& [name, params] : kTrainings) trainings.push_back({name, params});
  trainings.push_back({"clip", kAugmented, {{"micro_batch", 4}}});
  trainings.push_back({"clip", kAugmented, {{"max_gradient", 0.5}}});
  trainings.push_back({"siglip", Json::object()});
  trainings.push_back({"otcclip", {{"match_every", 1}, {"pool_fraction", 0.5}}});
  trainings.push_back({"second_opinion", {{"pool_fraction", 0.5}, {"plain_share", 0.25}}});
  for (auto& training : trainings) {
    training.training.update(calm);
    const auto defense = registry().make_defense(training.defense, training.params);
    const auto alone = trained(*defense, 1, {}, false, {Ranks::alone(), training.training});
    for (const int size : {2, 4}) {
      if (size == 4 && training.defense != "roclip") continue;  // what is true of two is shown once for four
      CAPTURE(training.defense, training.params.dump(), training.training.dump(), size);
      const auto ranks = trained_over(size, training);
      for (const auto& rank : ranks) {
        REQUIRE(rank.error == "");
        CHECK(rank.value.weights == ranks.front().value.weights);
        CHECK(distance(alone, rank.value) < 1e-5);
      }
    }
  }
}

TEST_CASE("ranks that stop go on from the first one's checkpoint to the bits of ranks that never stopped",
          "[train][ranks][resume]") {
  const Training augmented{"roclip", {{"match_every", 2}, {"pool_fraction", 0.5}}};
  const auto whole = trained_over(2, augmented);
  const ScratchFolder folder;
  CheckpointStore checkpoints(folder / "checkpoints", {});
  for (const auto& rank : trained_over(2, augmented, stopping_after(10, checkpoints)))
    CHECK(rank.error == "interrupted");
  TrainHooks going_on;
  going_on.checkpoints = &checkpoints;
  for (const auto& rank : trained_over(2, augmented, going_on)) {
    CHECK(rank.error == "");
    CHECK(rank.value.report.resumed == 1);
    CHECK(rank.value.weights == whole.front().value.weights);
  }
}

TEST_CASE("a checkpoint of another number of ranks is refused", "[train][ranks][resume]") {
  const ScratchFolder folder;
  CheckpointStore checkpoints(folder / "checkpoints", {});
  trained_over(2, {"clip"}, stopping_after(10, checkpoints));
  TrainHooks going_on;
  going_on.checkpoints = &checkpoints;
  CHECK_THROWS_WITH(trained("clip", Json::object(), 1, going_on),
                    Catch::Contains("is of 2 ranks, not of 1; go on with --ranks 2"));
  for (const auto& rank : trained_over(4, {"clip"}, going_on)) {
    CHECK_THAT(rank.error, Catch::Contains("is of 2 ranks, not of 4; go on with --ranks 2"));
  }
}

TEST_CASE("ranks refuse a batch that they cannot share out equally", "[train][ranks]") {
  for (const auto& rank : trained_over(3, {"clip"})) {
    CHECK_THAT(rank.error, Catch::Contains("training/batch_size: 8 is no multiple of the 3 ranks"));
  }
}

TEST_CASE("a defense that changes weights by gradients of its own is found out after its epoch or stage",
          "[train][ranks]") {
  struct Alone final : Defense {
    bool in_the_end = false;
    void after_step(TrainContext& context) override {
      if (!in_the_end) change(context);
    }
    void after_stage(TrainContext& context) override {
      if (in_the_end) change(context);
    }
    static void change(TrainContext& context) {
      const auto weights = context.model.trainable();
      for (auto weight : weights) weight.mutable_grad() = torch::Tensor();
      context.model.encode_image(to_pixels(context.pairs.images(torch::arange(8)), torch::kCPU)).sum().backward();
      const torch::NoGradGuard no_grad;
      for (auto weight : weights) {
        if (weight.grad().defined()) weight.sub_(weight.grad(), 0.01);
      }
    }
  };
  for (const bool in_the_end : {false, true}) {
    const std::string when = in_the_end ? "after stage train" : "after epoch 1 of stage train";
    const auto ranks = over_ranks<Outcome>(2, [&](const Ranks& group, int) {
      Alone defense;
      defense.in_the_end = in_the_end;
      return trained(defense, 1, {}, false, {group});
    });
    for (const auto& rank : ranks) CHECK_THAT(rank.error, Catch::Contains("the ranks' weights differ " + when));
  }
}

TEST_CASE("a rank that dies in training ends it for all, by its name", "[train][ranks]") {
  const auto results = over_ranks<Outcome>(
      3,
      [](const Ranks& ranks, int rank) {
        TrainHooks hooks;
        hooks.after_step = [rank](std::int64_t step) {
          if (rank == 2 && step == 9) throw std::runtime_error("dies");
        };
        const auto defense = registry().make_defense("clip", Json::object());
        return trained(*defense, 1, hooks, false, {ranks, {{"batch_size", 6}}});
      },
      /*patience_s=*/5);
  CHECK_THAT(results[0].error, Catch::StartsWith("rank 2 has ended or does not answer"));
  CHECK_THAT(results[1].error, Catch::StartsWith("rank 2 has ended or does not answer"));
  CHECK(results[2].error == "dies");
}

TEST_CASE("where images come slowly, each rank reads its part of every batch", "[train][ranks][loader]") {
  const Training plain{"clip", Json::object(), {{"batch_size", 12}}};
  const auto at_once = trained_over(2, plain);
  const auto slow = over_ranks<Outcome>(2, [&](const Ranks& ranks, int) {
    const auto defense = registry().make_defense(plain.defense, plain.params);
    return trained(*defense, 1, {}, false, {ranks, plain.training, /*slow_pairs=*/true});
  });
  for (const auto& rank : slow) {
    CHECK(rank.value.weights == at_once.front().value.weights);
    CHECK(rank.value.reads == 4 * 60 / 2);  // epochs, pairs, ranks
  }
}
