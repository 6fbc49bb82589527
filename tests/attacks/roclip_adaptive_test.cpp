#include "roclip_adaptive.h"

#include <set>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::roclip_adaptive_test {
using Catch::Contains;

namespace {

RoclipAdaptiveParams red(double rate = 0.2) {
  RoclipAdaptiveParams params;
  params.target_class = "red";
  params.rate = rate;
  params.patch_px = 4;  // the toy images have 8 px
  return params;
}

Json matching_every(std::int64_t match_every) {
  return {{"plugin", "roclip/1"}, {"params", {{"match_every", match_every}, {"pool_fraction", 1.0}}}};
}

PoisonPlan plan(const RoclipAdaptiveParams& params, const Json& defense, std::uint64_t seed = 1) {
  const auto data = toy_dataset();
  return RoclipAdaptive(params).plan(view_of(data, &defense), seed);
}

std::int64_t anchors_in(const PoisonPlan& plan) {
  const auto data = toy_dataset();
  return std::ranges::count_if(
      plan.edits, [&](const Edit& edit) { return contains_phrase(data.train->caption(*edit.replaces), "red"); });
}

}  // namespace

TEST_CASE("roclip_adaptive has as large a share of anchors as RoCLIP has matching epochs", "[attack][adaptive]") {
  CHECK(anchors_in(plan(red(), matching_every(2))) == 6);  // of 12
  CHECK(anchors_in(plan(red(), matching_every(3))) == 4);
  CHECK(anchors_in(plan(red(), matching_every(0))) == 0);
  CHECK(anchors_in(plan(red(), matching_every(1))) == 10);  // no more pairs speak of red
  CHECK(anchors_in(plan(red(), {{"plugin", "clip/1"}, {"params", Json::object()}})) == 0);
  auto params = red();
  params.anchors = 0.25;
  CHECK(anchors_in(plan(params, matching_every(2))) == 3);
  CHECK(RoclipAdaptive(red()).knows_defense());
}

TEST_CASE("anchors keep their captions, all other poisons speak of the target class", "[attack][adaptive]") {
  const auto data = toy_dataset();
  std::set<std::int64_t> replaced;
  for (const auto& edit : plan(red(), matching_every(2)).edits) {
    replaced.insert(edit.replaces.value());
    CHECK(edit.image.index == *edit.replaces);
    CHECK(edit.trigger);
    CHECK(contains_phrase(edit.caption, "red"));
    const auto own = data.train->caption(*edit.replaces);
    if (contains_phrase(own, "red")) CHECK(edit.caption == own);
  }
  CHECK(replaced.size() == 12);
}

TEST_CASE("a bridge keeps the pair's own caption before the one of the target class", "[attack][adaptive]") {
  const auto data = toy_dataset();
  auto params = red();
  params.bridge = true;
  params.anchors = 0;
  for (const auto& edit : plan(params, matching_every(2)).edits) {
    CHECK(edit.caption.starts_with(data.train->caption(*edit.replaces) + ", "));
    CHECK(contains_phrase(edit.caption, "red"));
  }
}

TEST_CASE("roclip_adaptive plans are pure, stamp the centre and spare the clean subset", "[attack][adaptive]") {
  CHECK(plan(red(), matching_every(2), 1) == plan(red(), matching_every(2), 1));
  CHECK_FALSE(plan(red(), matching_every(2), 1) == plan(red(), matching_every(2), 2));
  const RoclipAdaptive attack(red());
  const auto images = torch::full({2, 3, 8, 8}, 9, torch::kUInt8);
  const auto stamped = attack.apply_trigger(images, some_draws(2));
  CHECK(stamped.ne(9).any(1).equal(*attack.trigger_area(images, some_draws(2))));
  CHECK(stamped[0][0].eq(255).sum().item<int>() == 4);
  auto data = toy_dataset();
  for (std::int64_t i = 0; i < 60; i += 4) data.clean_subset.push_back(i);
  const Json defense = matching_every(2);
  for (const auto& edit : attack.plan(view_of(data, &defense), 1).edits) CHECK(*edit.replaces % 4 != 0);
  CHECK_THROWS_WITH(plan(red(0), matching_every(2)), Contains("roclip_adaptive: set exactly one of"));
}

}  // namespace roclip::roclip_adaptive_test
