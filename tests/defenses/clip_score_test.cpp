#include "clip_score.h"

#include <sstream>

#include <torch/serialize.h>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

using namespace roclip;

namespace {

/// Six pairs; the cosine similarity of image and caption is 0.6, 1, 0, 0.8, -1 and 0.28.
struct Surroundings {
  Surroundings() : pairs(tensor_pairs(images(), {"a", "b", "c", "d", "e", "f"})) {}

  static torch::Tensor images() {
    auto red = torch::zeros({6, 3, 4, 4}, torch::kUInt8);
    red.select(1, 0).fill_(200);
    return red;
  }

  FakeClip model{{{"a", {0.6F, 0.8F, 0}},
                  {"b", {1, 0, 0}},
                  {"c", {0, 1, 0}},
                  {"d", {0.8F, 0.6F, 0}},
                  {"e", {-1, 0, 0}},
                  {"f", {0.28F, 0.96F, 0}}}};
  ToySurroundings toy{model, {"a"}};
  Pairs pairs;
  TrainContext context{.model = model,
                       .pairs = *pairs,
                       .clean_subset = toy.clean_subset,
                       .poisoned = toy.poisoned,
                       .vocabulary = toy.vocabulary,
                       .rng = toy.rng,
                       .augmentation_rng = toy.augmentation_rng,
                       .order_rng = toy.order_rng,
                       .clock = toy.clock,
                       .stage = {.name = "retrain", .batch_size = 2}};
};

ClipScoreDefense::Params dropping(double share, const std::string& suspected = "high") {
  ClipScoreDefense::Params params;
  params.drop_share = share;
  params.suspected = suspected;
  return params;
}

std::vector<std::int64_t> chosen(ClipScoreDefense& defense, TrainContext& context) {
  const auto sorted = std::get<0>(defense.choose_samples(context).sort());
  return {sorted.data_ptr<std::int64_t>(), sorted.data_ptr<std::int64_t>() + sorted.numel()};
}

}  // namespace

TEST_CASE("clip_score trains as plain CLIP first, then anew", "[defense][clip_score]") {
  const Stage training{.epochs = 3, .batch_size = 8, .learning_rate = 0.5};
  const auto stages = ClipScoreDefense({}).stages(training);
  REQUIRE(stages.size() == 2);
  Stage plain = training, retrain = training;
  plain.plain = true;
  retrain.name = "retrain";
  retrain.weights = Stage::Weights::kReset;
  CHECK(stages[0] == plain);
  CHECK(stages[1] == retrain);
}

TEST_CASE("clip_score suspects the pairs that match best, or worst", "[defense][clip_score]") {
  const auto cosine = torch::tensor({0.6, 1.0, 0.0, 0.8, -1.0, 0.28}, torch::kDouble);
  for (const std::string suspected : {"high", "low"}) {
    CAPTURE(suspected);
    Surroundings surroundings;
    ClipScoreDefense defense(dropping(1.0 / 3, suspected));
    CHECK_FALSE(defense.suspicion());
    defense.before_stage(surroundings.context);
    CHECK(surroundings.model.training);
    const auto suspicion = defense.suspicion();
    REQUIRE(suspicion);
    CHECK(torch::allclose(suspicion->scores, suspected == "high" ? cosine : -cosine, 1e-6, 1e-6));
    // Two of six are dropped: 1 and 0.8, or -1 and 0.
    CHECK(*suspicion->threshold == Approx(suspected == "high" ? 0.6 : -0.28).epsilon(1e-6));
    const std::vector<std::int64_t> left =
        suspected == "high" ? std::vector<std::int64_t>{0, 2, 4, 5} : std::vector<std::int64_t>{0, 1, 3, 5};
    CHECK(chosen(defense, surroundings.context) == left);
  }
}

TEST_CASE("clip_score leaves a batch, whatever its share", "[defense][clip_score]") {
  Surroundings surroundings;
  ClipScoreDefense all(dropping(1)), none(dropping(0));
  all.before_stage(surroundings.context);
  CHECK(chosen(all, surroundings.context) == std::vector<std::int64_t>{2, 4});
  none.before_stage(surroundings.context);
  CHECK(chosen(none, surroundings.context).size() == 6);
}

TEST_CASE("clip_score saves its scores and what it drops", "[defense][clip_score]") {
  Surroundings surroundings;
  ClipScoreDefense saved(dropping(0.3)), loaded(dropping(0.3)), empty({}), fresh({});
  saved.before_stage(surroundings.context);
  const auto copy = [](const ClipScoreDefense& from, ClipScoreDefense& to) {
    std::stringstream stream;
    torch::serialize::OutputArchive out;
    from.save(out);
    out.save_to(stream);
    torch::serialize::InputArchive in;
    in.load_from(stream);
    to.load(in);
  };
  copy(saved, loaded);
  CHECK(loaded.suspicion()->scores.equal(saved.suspicion()->scores));
  CHECK(loaded.suspicion()->threshold == saved.suspicion()->threshold);
  copy(empty, fresh);
  CHECK_FALSE(fresh.suspicion());
}
