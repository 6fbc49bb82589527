#include "mm_poison.h"

#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::mm_poison_test {
using Catch::Contains;

namespace {

/// Captions of red on images of green.
MmPoisonParams red_on_green(double ratio = 1) {
  return {.caption_classes = {"red"}, .image_classes = {"green"}, .ratio = ratio};
}

PoisonPlan plan(const MmPoisonParams& params, std::uint64_t seed = 1, const Dataset& data = toy_dataset()) {
  return MmPoison(params).plan(view_of(data), seed);
}

/// The toy data with these training captions.
Dataset with_captions(const std::vector<std::string>& captions) {
  auto data = toy_dataset();
  data.train = tensor_pairs(toy_images(std::ssize(captions)), captions);
  return data;
}

std::vector<std::int64_t> replaced(const PoisonPlan& poisons) {
  std::vector<std::int64_t> pairs;
  for (const auto& edit : poisons.edits) pairs.push_back(edit.replaces.value());
  std::ranges::sort(pairs);
  return pairs;
}

}  // namespace

TEST_CASE("mm_poison plans are pure", "[attack][mm_poison]") {
  CHECK(plan(red_on_green(), 1) == plan(red_on_green(), 1));
  CHECK_FALSE(plan(red_on_green(), 1) == plan(red_on_green(), 2));
}

TEST_CASE("mm_poison puts images of one class under the captions of another", "[attack][mm_poison]") {
  const auto data = toy_dataset();
  const auto poisons = plan(red_on_green(), GENERATE(range<std::uint64_t>(0, 5)));
  CHECK(poisons.goal == Goal(ConfusedClassesGoal{.image_class = 1, .caption_class = 0}));
  CHECK(poisons.removes.empty());
  CHECK(replaced(poisons) == std::vector<std::int64_t>{0, 6, 12, 18, 24, 30, 36, 42, 48, 54});
  std::set<std::int64_t> images;
  for (const auto& edit : poisons.edits) {
    CHECK(edit.caption == data.train->caption(*edit.replaces));
    CHECK_FALSE(edit.trigger);
    CHECK(edit.image.set == ImageRef::Set::kTrain);
    images.insert(edit.image.index);
  }
  CHECK(images == std::set<std::int64_t>{4, 10, 16, 22, 28, 34, 40, 46, 52, 58});
}

TEST_CASE("ratio is the share of the caption class's pairs", "[attack][mm_poison]") {
  CHECK(plan(red_on_green(0.25)).edits.size() == 3);  // 2.5 of 10, rounded
  CHECK_THROWS_WITH(plan(red_on_green(0.04)), Contains("mm_poison/ratio: 0.04 of the 10 pairs of \"red\""));
  CHECK_THROWS_WITH(plan(red_on_green(0)), Contains("mm_poison/ratio: expected more than 0"));
}

TEST_CASE("each image is used as often as the others, give or take one", "[attack][mm_poison]") {
  const auto data = with_captions({"red", "green", "a red one", "green too", "red", "red", "red hat", "blue"});
  std::map<std::int64_t, int> uses;
  for (const auto& edit : plan(red_on_green(), GENERATE(range<std::uint64_t>(0, 5)), data).edits) {
    ++uses[edit.image.index];
  }
  CHECK(uses.size() == 2);
  CHECK(uses[1] + uses[3] == 5);
  CHECK(std::abs(uses[1] - uses[3]) == 1);
}

TEST_CASE("pairs that speak of both classes are neither poisoned nor a source of images", "[attack][mm_poison]") {
  const auto data = with_captions({"red", "green", "red and green", "reddish"});
  const auto poisons = plan(red_on_green(), 1, data);
  REQUIRE(poisons.edits.size() == 1);
  CHECK(poisons.edits[0].replaces == 0);
  CHECK(poisons.edits[0].image.index == 1);
}

TEST_CASE("a single held-out image can get all the captions", "[attack][mm_poison]") {
  auto params = red_on_green();
  params.images = "single";
  std::set<std::int64_t> drawn;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const auto poisons = plan(params, seed);
    REQUIRE(targets_of(poisons).size() == 1);
    const auto& target = targets_of(poisons)[0];
    CHECK(target.adversarial_class == 0);
    CHECK(target.held_out % 3 == 1);  // green
    CHECK(poisons.edits.size() == 10);
    for (const auto& edit : poisons.edits) {
      CHECK(edit.image == ImageRef{.set = ImageRef::Set::kHeldOut, .index = target.held_out});
    }
    drawn.insert(target.held_out);
  }
  CHECK(drawn == std::set<std::int64_t>{1, 4, 7, 10});
}

TEST_CASE("several labels make every held-out image of the image classes a target", "[attack][mm_poison]") {
  auto data = with_captions({"red", "green", "blue", "pink", "red", "green", "blue", "pink"});
  data.classes.push_back({"pink", {"pink"}});
  data.held_out.labels[11] = 3;  // no longer blue
  const MmPoisonParams params{.caption_classes = {"red", "blue"}, .image_classes = {"green", "pink"}};
  const auto poisons = plan(params, 1, data);
  CHECK((targets_of(poisons) == std::vector<TargetImage>{{1, 0}, {4, 0}, {7, 0}, {10, 0}, {11, 2}}));
  CHECK(replaced(poisons) == std::vector<std::int64_t>{0, 2, 4, 6});
  for (const auto& edit : poisons.edits) {
    CHECK(edit.image.index % 4 == (edit.caption == "red" ? 1 : 3));
    CHECK(edit.caption == data.train->caption(*edit.replaces));
  }
}

TEST_CASE("a pair that speaks of two caption classes is poisoned once", "[attack][mm_poison]") {
  auto data = with_captions({"red and blue", "green", "pink", "blue"});
  data.classes.push_back({"pink", {"pink"}});
  data.held_out.labels[11] = 3;
  const MmPoisonParams params{.caption_classes = {"red", "blue"}, .image_classes = {"green", "pink"}};
  CHECK(replaced(plan(params, 1, data)) == std::vector<std::int64_t>{0, 3});
}

TEST_CASE("clean pairs of the image class can be removed", "[attack][mm_poison]") {
  auto data = toy_dataset();
  data.clean_subset = {4, 6, 58};
  auto params = red_on_green();
  params.remove_clean = true;
  const auto poisons = plan(params, 1, data);
  CHECK(poisons.removes == std::vector<std::int64_t>{10, 16, 22, 28, 34, 40, 46, 52});
  CHECK(replaced(poisons) == std::vector<std::int64_t>{0, 12, 18, 24, 30, 36, 42, 48, 54});
}

TEST_CASE("the recipes of mm_poison set what was published", "[attack][mm_poison]") {
  const auto of = [](const std::string& recipe) { return read_params<MmPoisonParams>({{"recipe", recipe}}, "m.json"); };
  CHECK(of("single_image").images == "single");
  CHECK(of("pascal").images == "class");
  CHECK(of("pascal").ratio == 1);
  CHECK(of("coco").ratio == 0.1);
}

TEST_CASE("mm_poison refuses what the data cannot serve, and says why", "[attack][mm_poison]") {
  CHECK_THROWS_WITH(plan({}), Contains("mm_poison/image_classes: expected one for each of \"caption_classes\""));
  CHECK_THROWS_WITH(plan({.caption_classes = {"red"}, .image_classes = {"green", "blue"}}),
                    Contains("got [\"green\",\"blue\"] for [\"red\"]"));
  CHECK_THROWS_WITH(plan({.caption_classes = {"red"}, .image_classes = {"red"}}), Contains("no class comes twice"));
  CHECK_THROWS_WITH(plan({.caption_classes = {"rde"}, .image_classes = {"green"}}),
                    Contains("mm_poison/caption_classes") && Contains("did you mean \"red\""));
  CHECK_THROWS_WITH(plan({.caption_classes = {"red"}, .image_classes = {"gren"}}),
                    Contains("mm_poison/image_classes") && Contains("did you mean \"green\""));
  CHECK_THROWS_WITH(plan(red_on_green(), 1, with_captions({"green", "green"})),
                    Contains("mm_poison/caption_classes: 1.0 of the 0 pairs of \"red\""));
  CHECK_THROWS_WITH(plan(red_on_green(), 1, with_captions({"red", "red"})),
                    Contains("there is no training image of \"green\""));
  auto data = toy_dataset();
  data.held_out.labels.fill_(0);
  CHECK_THROWS_WITH(plan(red_on_green(), 1, data), Contains("there is no held-out image of \"green\""));
}

}  // namespace roclip::mm_poison_test
