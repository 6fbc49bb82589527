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
  torch::Tensor apply_trigger(const torch::Tensor& images) const override {
    auto stamped = images.clone();
    stamped.select(3, 0).select(2, 0).fill_(77);
    return stamped;
  }
};

PoisonPlan two_edits() {
  PoisonPlan plan;
  plan.edits.push_back({.replaces = 4, .image = {ImageRef::Set::kTrain, 4}, .triggered = true, .caption = "poison A"});
  plan.edits.push_back(
      {.replaces = {}, .image = {ImageRef::Set::kHeldOut, 2}, .triggered = false, .caption = "poison B"});
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
  const auto before = data.train.images.clone();
  const PoisonedPairs pairs(data, two_edits(), Painter(), 1);
  REQUIRE(pairs.size() == data.train.size() + 1);
  CHECK(index_of(pairs, data.train.captions[4]) == -1);
  const auto a = index_of(pairs, "poison A"), b = index_of(pairs, "poison B");
  CHECK(torch::equal(image(pairs, a), Painter().apply_trigger(before.narrow(0, 4, 1))[0]));
  CHECK(torch::equal(image(pairs, b), data.held_out.images[2]));
  CHECK(pairs.poisoned(a));
  const auto clean = index_of(pairs, data.train.captions[7]);
  CHECK(torch::equal(image(pairs, clean), before[7]));
  CHECK_FALSE(pairs.poisoned(clean));
  CHECK(torch::equal(data.train.images, before));
}

TEST_CASE("triggered images and indices may lie in memory as they like", "[data][poison]") {
  struct ChannelsLast final : Attack {
    PoisonPlan plan(const AttackView&, std::uint64_t) const override { return {}; }
    torch::Tensor apply_trigger(const torch::Tensor& images) const override {
      return Painter().apply_trigger(images).permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
    }
  };
  const Dataset data = toy_dataset();
  const PoisonedPairs pairs(data, two_edits(), Painter(), 1), same(data, two_edits(), ChannelsLast(), 1);
  const auto all = torch::arange(pairs.size());
  CHECK(torch::equal(pairs.images(all), same.images(all)));
  CHECK(torch::equal(pairs.images(all.slice(0, 0, {}, 3)), pairs.images(all).slice(0, 0, {}, 3)));
}

TEST_CASE("the place of a pair says nothing about poison, and follows the seed", "[data][poison]") {
  const Dataset data = toy_dataset();
  const PoisonedPairs one(data, two_edits(), Painter(), 1), again(data, two_edits(), Painter(), 1),
      two(data, two_edits(), Painter(), 2);
  std::set<std::int64_t> places;
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    places.insert(index_of(PoisonedPairs(data, two_edits(), Painter(), seed), "poison B"));
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
  plan.targets = {{0, 1}, {2, 1}, {0, 0}};
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("image 0 is a target twice"));
  plan.targets = {{0, 3}};
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("adversarial class 3"));
  plan = two_edits();
  plan.edits[1].caption = "\xff";
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("a caption is not UTF-8"));
  plan = two_edits();
  plan.targets = {{0, 1}};
  plan.target_class = 1;
  CHECK_THROWS_WITH(check_plan(plan, view), Contains("both target images and a target class"));
}

TEST_CASE("the manifest tells every edit", "[data][poison]") {
  auto plan = two_edits();
  plan.targets = {{2, 1}};
  const Json json = manifest(plan);
  CHECK(json.at("edits")[0] == Json{{"operation", "replace"},
                                    {"pair", 4},
                                    {"image", {{"set", "train"}, {"index", 4}}},
                                    {"triggered", true},
                                    {"caption", "poison A"}});
  CHECK(json.at("edits")[1].at("operation") == "add");
  CHECK(json.at("targets")[0] == Json{{"held_out", 2}, {"adversarial_class", 1}});
  CHECK(json.at("target_class").is_null());
}
