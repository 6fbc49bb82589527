#include "oracle_filter.h"

#include <set>

#include <catch2/catch.hpp>

#include "support/fake_clip.h"
#include "support/toy_context.h"

namespace roclip::oracle_filter_test {

namespace {

struct Poisoned {
  Poisoned() : toy(model, {"a", "b", "c", "d", "e"}) { toy.poisoned = {false, true, false, false, true}; }
  FakeClip model{{{"east", {1, 0, 0}}}};
  ToySurroundings toy;
};

std::multiset<std::int64_t> chosen(Defense& defense, TrainContext& context) {
  const auto order = defense.choose_samples(context);
  return {order.data_ptr<std::int64_t>(), order.data_ptr<std::int64_t>() + order.numel()};
}

}  // namespace

TEST_CASE("the oracle trains on every clean pair once an epoch, and on no poison", "[defense][oracle_filter]") {
  Poisoned surroundings;
  OracleFilterDefense defense(NoParams{});
  defense.before_stage(surroundings.toy.context);
  CHECK(chosen(defense, surroundings.toy.context) == std::multiset<std::int64_t>{0, 2, 3});
  const auto suspicion = defense.suspicion();
  REQUIRE(suspicion);
  CHECK(suspicion->scores.equal(torch::tensor({0.0, 1.0, 0.0, 0.0, 1.0}, torch::kDouble)));
  CHECK(suspicion->threshold == 0.5);
}

TEST_CASE("the oracle says so where too few clean pairs are left for a batch", "[defense][oracle_filter]") {
  Poisoned surroundings;
  surroundings.toy.context.stage.batch_size = 4;
  OracleFilterDefense defense(NoParams{});
  CHECK_THROWS_WITH(defense.before_stage(surroundings.toy.context),
                    Catch::Contains("at least a batch of 4") && Catch::Contains("got 3"));
}

TEST_CASE("the oracle says that it knows the poisons", "[defense][oracle_filter]") {
  CHECK(OracleFilterDefense(NoParams{}).capability() == Capability::kKnowsPoisons);
}

TEST_CASE("the oracle trains once", "[defense][oracle_filter]") {
  const Stage training{.epochs = 3, .batch_size = 8};
  CHECK((OracleFilterDefense(NoParams{}).stages(training) == std::vector<Stage>{training}));
}

}  // namespace roclip::oracle_filter_test
