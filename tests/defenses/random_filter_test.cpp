#include "random_filter.h"

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::random_filter_test {

namespace {

struct Surroundings {
  FakeClip model{{{"east", {1, 0, 0}}}};
  ToySurroundings toy{model, std::vector<std::string>(100, "east")};
};

torch::Tensor chosen(RandomFilterDefense& defense, TrainContext& context) {
  return std::get<0>(defense.choose_samples(context).sort());
}

}  // namespace

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

}  // namespace roclip::random_filter_test
