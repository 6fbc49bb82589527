#include "random_filter.h"

#include <sstream>

#include <torch/serialize.h>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

using namespace roclip;

namespace {

struct Surroundings {
  FakeClip model{{{"east", {1, 0, 0}}}};
  ToySurroundings toy{model, std::vector<std::string>(100, "east")};
};

torch::Tensor chosen(RandomFilterDefense& defense, TrainContext& context) {
  return std::get<0>(defense.choose_samples(context).sort());
}

}  // namespace

TEST_CASE("random_filter trains as plain CLIP first, then anew", "[defense][random_filter]") {
  const Stage training{.epochs = 3, .batch_size = 8, .learning_rate = 0.5};
  const auto stages = RandomFilterDefense({}).stages(training);
  REQUIRE(stages.size() == 2);
  Stage plain = training, retrain = training;
  plain.plain = true;
  retrain.name = "retrain";
  retrain.weights = Stage::Weights::kReset;
  CHECK(stages[0] == plain);
  CHECK(stages[1] == retrain);
}

TEST_CASE("random_filter drops its share, the same pairs in all epochs and others at another seed",
          "[defense][random_filter]") {
  Surroundings one, same, other;
  other.toy.rng = Rng(7);
  RandomFilterDefense first({.drop_share = 0.3}), again({.drop_share = 0.3}), third({.drop_share = 0.3});
  first.before_stage(one.toy.context);
  again.before_stage(same.toy.context);
  third.before_stage(other.toy.context);
  const auto left = chosen(first, one.toy.context);
  CHECK(left.size(0) == 70);
  CHECK(left.equal(chosen(first, one.toy.context)));
  CHECK(left.equal(chosen(again, same.toy.context)));
  CHECK_FALSE(left.equal(chosen(third, other.toy.context)));
  CHECK_FALSE(first.choose_samples(one.toy.context).equal(first.choose_samples(one.toy.context)));
}

TEST_CASE("random_filter suspects what it drops", "[defense][random_filter]") {
  Surroundings surroundings;
  RandomFilterDefense defense({.drop_share = 0.3});
  CHECK_FALSE(defense.suspicion());
  defense.before_stage(surroundings.toy.context);
  const auto suspicion = defense.suspicion();
  REQUIRE(suspicion);
  const auto kept = (suspicion->scores <= *suspicion->threshold).nonzero().squeeze(1);
  CHECK(kept.equal(chosen(defense, surroundings.toy.context)));
}

TEST_CASE("random_filter leaves a batch, whatever its share", "[defense][random_filter]") {
  Surroundings surroundings;
  RandomFilterDefense all({.drop_share = 1}), none({.drop_share = 0});
  all.before_stage(surroundings.toy.context);
  CHECK(all.choose_samples(surroundings.toy.context).size(0) == 2);
  none.before_stage(surroundings.toy.context);
  CHECK(none.choose_samples(surroundings.toy.context).size(0) == 100);
}

TEST_CASE("random_filter saves its scores and what it drops", "[defense][random_filter]") {
  Surroundings surroundings;
  RandomFilterDefense saved({.drop_share = 0.3}), loaded({.drop_share = 0.3}), empty({}), fresh({});
  saved.before_stage(surroundings.toy.context);
  const auto copy = [](const RandomFilterDefense& from, RandomFilterDefense& to) {
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
