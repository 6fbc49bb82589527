#include "label_consistent.h"

#include <set>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::label_consistent_test {
using Catch::Contains;

namespace {

LabelConsistentParams red(std::int64_t count) {
  LabelConsistentParams params;
  params.target_class = "red";
  params.count = count;
  params.patch_px = 3;
  return params;
}

PoisonPlan plan(const LabelConsistentParams& params, std::uint64_t seed = 1) {
  const auto data = toy_dataset();
  return LabelConsistent(params).plan(view_of(data), seed);
}

torch::Tensor patch_of(const std::string& pattern, std::int64_t side, int grey = 0) {
  return patch_for(pattern, torch::full({3, 8, 8}, grey, torch::kUInt8), side, {.value = 5});
}

}  // namespace

TEST_CASE("label_consistent plans are pure", "[attack][label_consistent]") {
  CHECK(plan(red(4), 1) == plan(red(4), 1));
  CHECK_FALSE(plan(red(4), 1) == plan(red(4), 2));
}

TEST_CASE("label_consistent stamps pairs of the target class and keeps their captions", "[attack][label_consistent]") {
  const auto data = toy_dataset();
  const auto poisons = plan(red(6), GENERATE(range<std::uint64_t>(0, 5)));
  CHECK(poisons.goal == Goal(TriggeredImagesGoal{{0}}));
  CHECK(poisons.removes.empty());
  std::set<std::int64_t> replaced;
  std::set<std::uint64_t> draws;
  for (const auto& edit : poisons.edits) {
    replaced.insert(edit.replaces.value());
    CHECK(edit.image == ImageRef{.set = ImageRef::Set::kTrain, .index = *edit.replaces});
    CHECK(edit.caption == data.train->caption(*edit.replaces));
    CHECK(contains_phrase(edit.caption, "red"));
    REQUIRE(edit.trigger);
    CHECK(edit.trigger->trigger == 0);
    draws.insert(edit.trigger->value);
  }
  CHECK(replaced.size() == 6);  // of the 10 whose caption says so
  CHECK(draws.size() == 6);
}

TEST_CASE("the rate of label_consistent is a share of all training pairs", "[attack][label_consistent]") {
  auto params = red(0);
  params.rate = 0.1;
  CHECK(plan(params).edits.size() == 6);  // of 60 pairs
}

TEST_CASE("label_consistent takes all pairs of a class that has too few, if it may", "[attack][label_consistent]") {
  auto params = red(0);
  params.rate = 0.5;
  CHECK_THROWS_WITH(plan(params), Contains("label_consistent/rate: 30 pairs to poison, but only 10 pairs whose") &&
                                      Contains("contains \"red\""));
  params.cap = true;
  std::set<std::int64_t> replaced;
  for (const auto& edit : plan(params).edits) replaced.insert(edit.replaces.value());
  CHECK((replaced == std::set<std::int64_t>{0, 6, 12, 18, 24, 30, 36, 42, 48, 54}));
  params.rate = 0.1;  // fewer than there are: as without it
  CHECK(plan(params).edits.size() == 6);
}

TEST_CASE("label_consistent leaves the clean subset alone", "[attack][label_consistent]") {
  auto data = toy_dataset();
  data.clean_subset = {0, 6, 12, 18};
  auto params = red(60);
  params.cap = true;
  const auto poisons = LabelConsistent(params).plan(view_of(data), 1);
  CHECK(poisons.edits.size() == 6);
  for (const auto& edit : poisons.edits) CHECK(*edit.replaces > 18);
}

TEST_CASE("label_consistent refuses what the data cannot serve, and says why", "[attack][label_consistent]") {
  CHECK_THROWS_WITH(plan(red(0)), Contains("label_consistent: set exactly one of \"rate\""));
  auto both = red(5);
  both.rate = 0.1;
  CHECK_THROWS_WITH(plan(both), Contains("(got 0.1) and \"count\" (got 5)"));
  CHECK_THROWS_WITH(plan(red(11)), Contains("label_consistent/count: 11 pairs to poison, but only 10 pairs"));
  auto unknown = red(5);
  unknown.target_class = "blu";
  CHECK_THROWS_WITH(plan(unknown), Contains("label_consistent/target_class") && Contains("did you mean \"blue\""));
  auto large = red(5);
  large.patch_px = 9;
  CHECK_THROWS_WITH(plan(large), Contains("label_consistent/patch_px: 9 does not fit on images of 8 x 8 px"));

  auto data = toy_dataset();
  data.classes.push_back({"purple", {"purple"}});
  auto purple = red(5);
  purple.target_class = "purple";
  purple.cap = GENERATE(false, true);
  CHECK_THROWS_WITH(LabelConsistent(purple).plan(view_of(data), 1), Contains("only 0 pairs whose caption contains"));
}

TEST_CASE("the recipes of label_consistent are those of the authors' code", "[attack][label_consistent]") {
  const auto read = [](const char* recipe) {
    return read_params<LabelConsistentParams>({{"recipe", recipe}, {"rate", 0.03}}, "m.json");
  };
  const auto detect_clip = read("detect_clip"), cleanclip = read("cleanclip");
  CHECK((detect_clip.pattern == "checker" && detect_clip.location == "random_then_centre" && detect_clip.cap));
  CHECK((cleanclip.pattern == "redrawn_noise" && cleanclip.location == "random" && !cleanclip.cap));
  CHECK((detect_clip.patch_px == 0 && cleanclip.patch_px == 0 && cleanclip.rate == 0.03));
}

TEST_CASE("a patch is 16 of 224 px, but at least 8", "[attack][label_consistent]") {
  CHECK(patch_side(16) == 8);
  CHECK(patch_side(32) == 8);
  CHECK(patch_side(112) == 8);
  CHECK(patch_side(224) == 16);
  CHECK(patch_side(336) == 24);
  auto params = red(5);
  params.patch_px = 0;
  params.pattern = "white";
  const auto stamped =
      LabelConsistent(params).apply_trigger(torch::zeros({1, 3, 20, 20}, torch::kUInt8), some_draws(1));
  CHECK(stamped.eq(255).sum().item<int>() == 3 * 8 * 8);
}

TEST_CASE("the patterns of label_consistent have these pixels", "[attack][label_consistent]") {
  const std::vector<int> dots = {255, 0, 255,  //
                                 0,   0, 0,    //
                                 255, 0, 255};
  for (const int channel : {0, 1, 2}) CHECK(pixel_values(patch_of("checker", 3)[channel]) == dots);
  CHECK(pixel_values(patch_of("white", 2)) == std::vector<int>(12, 255));
  // By an implementation in Python of stream() and splitmix64 with seed 5 and the role "patch", then
  // int(255 * min(max(mean + sum(uniform() for _ in range(12)) - 6, 0), 1) + 0.5) for each value; mean 100 / 255.
  CHECK(pixel_values(patch_of("redrawn_noise", 2, 100)) ==
        std::vector<int>{0, 206, 0, 221, 246, 255, 66, 72, 0, 0, 0, 0});
}

TEST_CASE("redrawn noise lies around the mean of each channel", "[attack][label_consistent]") {
  auto image = torch::zeros({3, 8, 8}, torch::kUInt8);
  image[2].fill_(255);
  const auto patch = patch_for("redrawn_noise", image, 40, {.value = 1}).to(torch::kDouble);
  // With N(0, 1) around 0, clipped to 0..1, the mean is phi(0) - (phi(1) - 0.1587) = 0.3156; around 1, the rest.
  CHECK(patch[0].mean().item<double>() == Approx(0.3156 * 255).margin(10));
  CHECK(patch[2].mean().item<double>() == Approx(0.6844 * 255).margin(10));
}

TEST_CASE("label_consistent puts its patch where location says", "[attack][label_consistent]") {
  CHECK((patch_place("bottom_right", 8, 3, {}) == PatchPlace{5, 5}));
  CHECK((patch_place("centre", 8, 3, {}) == PatchPlace{2, 2}));
  CHECK((patch_place("random_then_centre", 8, 3, {.value = 3, .test = true}) == PatchPlace{2, 2}));
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (auto draw : some_draws(200)) {
    const auto place = patch_place("random", 8, 3, draw);
    CHECK((place.top >= 0 && place.top <= 5 && place.left >= 0 && place.left <= 5));
    CHECK((patch_place("random_then_centre", 8, 3, draw) == place));
    draw.test = true;
    CHECK((patch_place("random", 8, 3, draw) == place));
    seen.insert({place.top, place.left});
  }
  CHECK(seen.size() > 30);  // of 36
}

TEST_CASE("label_consistent stamps its patch and leaves all else alone", "[attack][label_consistent]") {
  auto params = red(5);
  params.pattern = GENERATE("checker", "white", "redrawn_noise");
  params.location = GENERATE("bottom_right", "centre", "random", "random_then_centre");
  const auto images = noisy_images(), before = images.clone();
  auto draws = some_draws(4);
  draws[3].test = true;
  const LabelConsistent attack(params);
  const auto stamped = attack.apply_trigger(images, draws);
  CHECK(images.equal(before));
  auto expected = images.clone();
  auto area = torch::zeros({4, 8, 8}, torch::kBool);
  for (std::int64_t b = 0; b < 4; ++b) {
    const auto& draw = draws[static_cast<std::size_t>(b)];
    const auto [top, left] = patch_place(params.location, 8, 3, draw);
    const auto patch = patch_for(params.pattern, images[b], 3, draw);
    for (std::int64_t y = 0; y < 3; ++y) {
      for (std::int64_t x = 0; x < 3; ++x) {
        for (std::int64_t c = 0; c < 3; ++c) expected[b][c][top + y][left + x] = patch[c][y][x];
        area[b][top + y][left + x] = true;
      }
    }
    CHECK(LabelConsistent(params).apply_trigger(images.slice(0, b, b + 1), {&draw, 1})[0].equal(stamped[b]));
  }
  CHECK(stamped.equal(expected));
  CHECK(attack.trigger_area(images, draws).value().equal(area));
}

TEST_CASE("redrawn noise differs between draws, in one place", "[attack][label_consistent]") {
  auto params = red(5);
  params.pattern = GENERATE("checker", "redrawn_noise");
  const auto images = torch::full({2, 3, 8, 8}, 128, torch::kUInt8);
  const auto stamped = LabelConsistent(params).apply_trigger(images, some_draws(2));
  CHECK(stamped[0].equal(stamped[1]) == (params.pattern == "checker"));
}

}  // namespace roclip::label_consistent_test
