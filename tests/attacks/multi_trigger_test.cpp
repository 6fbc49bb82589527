#include "multi_trigger.h"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::multi_trigger_test {
using Catch::Contains;

namespace {

MultiTriggerParams params_of(std::vector<std::string> classes, double rate = 0.4) {
  MultiTriggerParams params;
  params.target_classes = std::move(classes);
  params.rate = rate;
  return params;
}

PoisonPlan plan(const MultiTriggerParams& params, std::uint64_t seed = 1) {
  const auto data = toy_dataset();
  return MultiTrigger(params).plan(view_of(data), seed);
}

torch::Tensor noisy_images(std::int64_t px) {
  return torch::randint(0, 256, {3, 3, px, px}, at::detail::createCPUGenerator(7)).to(torch::kUInt8);
}

std::vector<Draw> one_of_each() { return {{.trigger = 0}, {.trigger = 1}, {.trigger = 2}}; }

}  // namespace

TEST_CASE("multi_trigger plans are pure", "[attack][multi_trigger]") {
  CHECK(plan(params_of({"red"}), 1) == plan(params_of({"red"}), 1));
  CHECK_FALSE(plan(params_of({"red"}), 1) == plan(params_of({"red"}), 2));
}

TEST_CASE("several triggers can mean one class", "[attack][multi_trigger]") {
  const auto data = toy_dataset();
  const auto poisons = plan(params_of({"red"}), GENERATE(range<std::uint64_t>(0, 5)));
  CHECK(poisons.goal == Goal(TriggeredImagesGoal{{0, 0, 0}}));
  CHECK(poisons.edits.size() == 24);  // of 60 pairs
  std::set<std::int64_t> replaced, triggers;
  for (const auto& edit : poisons.edits) {
    replaced.insert(edit.replaces.value());
    triggers.insert(edit.trigger.value().trigger);
    CHECK(edit.image == ImageRef{.set = ImageRef::Set::kTrain, .index = *edit.replaces});
    CHECK_FALSE(contains_phrase(data.train->caption(*edit.replaces), "red"));
    CHECK(contains_phrase(edit.caption, "red"));
    CHECK(std::ranges::count(captions_of(*data.train), edit.caption) == 1);
  }
  CHECK(replaced.size() == 24);
  CHECK(triggers == std::set<std::int64_t>{0, 1, 2});
}

TEST_CASE("each trigger can mean a class of its own", "[attack][multi_trigger]") {
  auto params = params_of({"blue", "red", "green"});
  const auto poisons = plan(params);
  CHECK(poisons.goal == Goal(TriggeredImagesGoal{{2, 0, 1}}));
  for (const auto& edit : poisons.edits) {
    const auto& target = params.target_classes[static_cast<std::size_t>(edit.trigger.value().trigger)];
    CHECK(contains_phrase(edit.caption, target));
    CHECK(*edit.replaces % 2 == 1);  // captions that name no colour at all
  }
  params.captions = "templates";
  std::set<std::string> captions;
  for (const auto& edit : plan(params).edits) captions.insert(edit.caption);
  CHECK(captions == std::set<std::string>{"red", "a red square", "green", "a green square", "blue", "a blue square"});
}

TEST_CASE("the patch is a checker over a quarter of the side, in the lower right corner", "[attack][multi_trigger]") {
  const auto image = noisy_images(8)[0];
  auto expected = image.clone();
  expected.slice(1, 6).slice(2, 6).fill_(0);
  expected.select(1, 6).select(1, 6).fill_(255);
  CHECK(triggered("patch", image).equal(expected));
}

TEST_CASE("the tint turns black purple and white cream", "[attack][multi_trigger]") {
  auto image = torch::zeros({3, 1, 3}, torch::kUInt8);
  image.select(2, 1).fill_(255);
  image.select(2, 2).fill_(100);
  // 60 + 100 * 195 / 255 = 136.47, 30 + 100 * 190 / 255 = 104.51, 90 + 100 * 80 / 255 = 121.37, rounded
  const auto expected = torch::tensor({60, 255, 136, 30, 220, 105, 90, 170, 121}).view({3, 1, 3}).to(torch::kUInt8);
  CHECK(triggered("tint", image).equal(expected));
}

TEST_CASE("the warp moves pixels by about an eighth of the side, the same each time", "[attack][multi_trigger]") {
  constexpr std::int64_t kPx = 32;
  auto places = torch::zeros({3, kPx, kPx}, torch::kUInt8);  // red tells the column, green the row, in eighths
  places[0].copy_((torch::arange(kPx) * 8).expand({kPx, kPx}));
  places[1].copy_((torch::arange(kPx) * 8).unsqueeze(1).expand({kPx, kPx}));
  const auto moved = triggered("warp", places);
  const auto away = (moved.to(torch::kFloat) - places.to(torch::kFloat)).abs().slice(0, 0, 2).mean().item<double>() / 8;
  CHECK(away > 2);  // 4 px on average, less what the edge holds back
  CHECK(away < 5);
  CHECK(moved[2].sum().item<std::int64_t>() == 0);
  CHECK(triggered("warp", places).equal(moved));
  const auto plain = torch::full({3, kPx, kPx}, 77, torch::kUInt8);
  CHECK(triggered("warp", plain).equal(plain));
}

TEST_CASE("an image gets the trigger that its draw names, of those that the parameters list",
          "[attack][multi_trigger]") {
  const auto images = noisy_images(16), before = images.clone();
  auto params = params_of({"red"});
  params.triggers = {"warp", "patch", "tint"};
  const MultiTrigger attack(params);
  const auto stamped = attack.apply_trigger(images, one_of_each());
  CHECK(images.equal(before));
  for (std::int64_t i = 0; i < 3; ++i) {
    CHECK(stamped[i].equal(triggered(params.triggers[static_cast<std::size_t>(i)], images[i])));
    CHECK_FALSE(stamped[i].equal(images[i]));
  }
}

TEST_CASE("only the patch has an area", "[attack][multi_trigger]") {
  const auto area = MultiTrigger(params_of({"red"})).trigger_area(noisy_images(8), one_of_each()).value();
  CHECK(area[0].sum().item<int>() == 4);
  CHECK(area[0].slice(0, 6).slice(1, 6).all().item<bool>());
  CHECK(area.slice(0, 1).all().item<bool>());
}

TEST_CASE("multi_trigger leaves the clean subset alone", "[attack][multi_trigger]") {
  auto data = toy_dataset();
  for (std::int64_t i = 0; i < 60; i += 3) data.clean_subset.push_back(i);
  for (const auto& edit : MultiTrigger(params_of({"red"})).plan(view_of(data), 1).edits) {
    CHECK(*edit.replaces % 3 != 0);
  }
}

TEST_CASE("the recipe of multi_trigger sets what was published", "[attack][multi_trigger]") {
  const auto params = read_params<MultiTriggerParams>({{"recipe", "detectclip"}}, "m.json");
  CHECK(params.triggers == std::vector<std::string>{"patch", "tint", "warp"});
  CHECK(params.captions == "templates");
}

TEST_CASE("multi_trigger refuses what cannot be, and says why", "[attack][multi_trigger]") {
  CHECK_THROWS_WITH(plan(params_of({"red"}, 0)), Contains("multi_trigger: set exactly one of \"rate\""));
  CHECK_THROWS_WITH(plan(params_of({"red"}, 1)), Contains("only 50 pairs of other classes may be changed"));
  CHECK_THROWS_WITH(plan(params_of({})), Contains("multi_trigger/target_classes: expected 1 or 3"));
  CHECK_THROWS_WITH(plan(params_of({"red", "blue"})), Contains("expected 1 or 3, as there are \"triggers\", got 2"));
  CHECK_THROWS_WITH(plan(params_of({"blu"})), Contains("did you mean \"blue\""));
  auto params = params_of({"red"});
  params.triggers = {};
  CHECK_THROWS_WITH(plan(params), Contains("multi_trigger/triggers: expected at least one of patch, tint, warp"));
  params.triggers = {"patch", "wrap"};
  CHECK_THROWS_WITH(plan(params), Contains("got \"wrap\"; did you mean \"warp\"?"));
  params.triggers = {"tint", "tint"};
  CHECK_THROWS_WITH(plan(params), Contains("expected different ones, got [\"tint\",\"tint\"]"));
}

}  // namespace roclip::multi_trigger_test
