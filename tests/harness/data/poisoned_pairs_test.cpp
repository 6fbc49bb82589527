#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "harness/data/poisoned_pairs.h"
#include "support/toy_dataset.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

/// Paints the first pixel.
class Painter final : public Attack {
 public:
  PoisonPlan plan(const AttackView&, std::uint64_t) const override { return {}; }
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw>) const override {
    auto stamped = images.clone();
    stamped.select(3, 0).select(2, 0).fill_(77);
    return stamped;
  }
};

PoisonPlan two_edits() {
  PoisonPlan plan;
  plan.edits.push_back(
      {.replaces = 4, .image = {ImageRef::Set::kTrain, 4}, .trigger = Draw{.value = 9}, .caption = "poison A"});
  plan.edits.push_back({.replaces = {}, .image = {ImageRef::Set::kHeldOut, 2}, .trigger = {}, .caption = "poison B"});
  return plan;
}

std::int64_t index_of(const PoisonedPairs& pairs, const std::string& caption) {
  for (std::int64_t i = 0; i < pairs.size(); ++i) {
    if (pairs.caption(i) == caption) return i;
  }
  return -1;
}

torch::Tensor image(const PoisonedPairs& pairs, std::int64_t index) {
  return pairs.images(torch::tensor({index}, torch::kLong))[0];
}

}  // namespace

TEST_CASE("poisons replace or join the clean pairs, whose data stays as it was", "[data][poison]") {
  const Dataset data = toy_dataset();
  const auto before = data.train->images(0, 60);
  const PoisonedPairs pairs(data, two_edits(), Painter(), {}, 1);
  REQUIRE(pairs.size() == data.train->size() + 1);
  CHECK(index_of(pairs, data.train->caption(4)) == -1);
  const auto a = index_of(pairs, "poison A"), b = index_of(pairs, "poison B");
  CHECK(torch::equal(image(pairs, a), Painter().apply_trigger(before.narrow(0, 4, 1), some_draws(1))[0]));
  CHECK(torch::equal(image(pairs, b), data.held_out.pairs->image(2)));
  CHECK(pairs.poisoned(a));
  const auto clean = index_of(pairs, data.train->caption(7));
  CHECK(torch::equal(image(pairs, clean), before[7]));
  CHECK_FALSE(pairs.poisoned(clean));
  CHECK(torch::equal(data.train->images(0, 60), before));
}

TEST_CASE("triggered images and indices may lie in memory as they like", "[data][poison]") {
  struct ChannelsLast final : Attack {
    PoisonPlan plan(const AttackView&, std::uint64_t) const override { return {}; }
    torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw>) const override {
      return Painter().apply_trigger(images, {}).permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
    }
  };
  const Dataset data = toy_dataset();
  const PoisonedPairs pairs(data, two_edits(), Painter(), {}, 1), same(data, two_edits(), ChannelsLast(), {}, 1);
  const auto all = torch::arange(pairs.size());
  CHECK(torch::equal(pairs.images(all), same.images(all)));
  CHECK(torch::equal(pairs.images(all.slice(0, 0, {}, 3)), pairs.images(all).slice(0, 0, {}, 3)));
}

TEST_CASE("the place of a pair says nothing about poison, and follows the seed", "[data][poison]") {
  const Dataset data = toy_dataset();
  const PoisonedPairs one(data, two_edits(), Painter(), {}, 1), again(data, two_edits(), Painter(), {}, 1),
      two(data, two_edits(), Painter(), {}, 2);
  std::set<std::int64_t> places;
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    places.insert(index_of(PoisonedPairs(data, two_edits(), Painter(), {}, seed), "poison B"));
  CHECK(places.size() > 20);
  CHECK(one.caption(0) == again.caption(0));
  bool differs = false;
  for (std::int64_t i = 0; i < one.size(); ++i) differs = differs || one.caption(i) != two.caption(i);
  CHECK(differs);
}

TEST_CASE("a plan that breaks the contract is the plugin's fault", "[data][poison]") {
  const Dataset data = toy_dataset();
  const AttackView view = view_of(data);
  CHECK_NOTHROW(check_plan(two_edits(), view));
  auto plan = two_edits();
  plan.edits.push_back(plan.edits[0]);
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("pair 4 is replaced twice"));
  plan = two_edits();
  plan.edits[0].image.index = 60;
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("train image 60 is not in [0, 60)"));
  plan = two_edits();
  plan.goal = TargetImagesGoal{{{0, 1}, {2, 1}, {0, 0}}};
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("image 0 is a target twice"));
  plan.goal = TargetImagesGoal{{{0, 3}}};
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("adversarial class 3"));
  plan.goal = TriggeredImagesGoal{{1, 7}};
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("target class 7"));
  plan.goal = TriggeredImagesGoal{{1}};
  plan.edits[0].trigger = Draw{.trigger = 1};
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("trigger of an edit 1"));
  plan = two_edits();
  plan.removes = {4};
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("pair 4 is removed twice"));
  plan = two_edits();
  plan.edits[1].caption = "\xff";
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("a caption is not UTF-8"));
}

TEST_CASE("no attack touches the clean subset, which is known by its places among the pairs", "[data][poison]") {
  Dataset data = toy_dataset();
  data.clean_subset = {4, 7, 20};
  CHECK_THROWS_WITH(check_plan(two_edits(), view_of(data)), Contains("belongs to the clean subset"));
  data.clean_subset = {5, 7, 20};
  CHECK_NOTHROW(check_plan(two_edits(), view_of(data)));
  const PoisonedPairs pairs(data, two_edits(), Painter(), {}, 1);
  std::set<std::string> captions;
  for (const auto i : pairs.clean_subset()) captions.insert(pairs.caption(i));
  CHECK(captions == std::set{data.train->caption(5), data.train->caption(7), data.train->caption(20)});
}

TEST_CASE("removed pairs are gone, and images of an artifact are poisons like others", "[data][poison]") {
  const Dataset data = toy_dataset();
  PoisonPlan plan;
  plan.removes = {1, 2};
  plan.edits.push_back({.replaces = {}, .image = {ImageRef::Set::kArtifact, 1}, .trigger = {}, .caption = "made up"});
  const Artifact artifact = {{"images", torch::full({2, 3, 8, 8}, 33, torch::kUInt8)}};
  const PoisonedPairs pairs(data, plan, Painter(), artifact, 1);
  CHECK(pairs.size() == 60 - 2 + 1);
  CHECK(index_of(pairs, data.train->caption(1)) == -1);
  CHECK(torch::equal(image(pairs, index_of(pairs, "made up")), artifact.at("images")[1]));
  plan.edits[0].image.index = 2;
  CHECK_THROWS_WITH(PoisonedPairs(data, plan, Painter(), artifact, 1), Contains("image 2 of the artifact"));
}

TEST_CASE("the manifest tells every edit and the goal, and gives the plan back", "[data][poison]") {
  auto plan = two_edits();
  plan.removes = {8};
  const Json json = manifest(plan);
  CHECK(json.at("edits")[0] == Json{{"operation", "replace"},
                                    {"pair", 4},
                                    {"image", {{"set", "train"}, {"index", 4}}},
                                    {"trigger", {{"index", 0}, {"draw", 9}}},
                                    {"caption", "poison A"}});
  CHECK(json.at("edits")[1].at("operation") == "add");
  CHECK(json.at("edits")[1].at("trigger").is_null());
  for (const Goal& goal : {Goal(NoGoal{}), Goal(TargetImagesGoal{{{2, 1}}}), Goal(TriggeredImagesGoal{{1, 2}}),
                           Goal(TriggeredImagesGoal{.target_class = {1}, .triggered_prompts = true}),
                           Goal(TriggeredTextGoal{{0}}), Goal(ConfusedClassesGoal{0, 2})}) {
    plan.goal = goal;
    CHECK(plan_from_manifest(manifest(plan)) == plan);
    CHECK(manifest(plan).at("goal").at("kind") == kind_of(goal));
  }
}
