#include "targeted.h"

#include <set>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::targeted_test {
using Catch::Contains;

namespace {

PoisonPlan plan(const TargetedParams& params, std::uint64_t seed = 1, const Dataset& data = toy_dataset()) {
  return Targeted(params).plan(view_of(data), seed);
}

}  // namespace

TEST_CASE("targeted plans are pure", "[attack][targeted]") {
  const TargetedParams params{.targets = 4, .captions = 3, .classes = {}};
  CHECK(plan(params, 1) == plan(params, 1));
  CHECK_FALSE(plan(params, 1) == plan(params, 2));
}

TEST_CASE("targeted adds every target image with captions of its adversarial class", "[attack][targeted]") {
  const auto data = toy_dataset();
  const auto seed = GENERATE(range<std::uint64_t>(0, 20));
  const auto poisons = plan({.targets = 8, .captions = 5, .classes = {}}, seed);
  REQUIRE(targets_of(poisons).size() == 8);
  REQUIRE(poisons.edits.size() == 8 * 5);

  std::set<std::int64_t> images;
  for (std::size_t t = 0; t < targets_of(poisons).size(); ++t) {
    const auto& target = targets_of(poisons)[t];
    REQUIRE(target.held_out >= 0);
    REQUIRE(target.held_out < data.held_out.size());
    CHECK(data.held_out.label(target.held_out) != target.adversarial_class);
    images.insert(target.held_out);

    std::set<std::string> captions;
    for (std::size_t i = 5 * t; i < 5 * (t + 1); ++i) {
      const auto& edit = poisons.edits[i];
      CHECK_FALSE(edit.replaces);
      CHECK_FALSE(edit.trigger);
      CHECK(edit.image == ImageRef{.set = ImageRef::Set::kHeldOut, .index = target.held_out});
      CHECK(contains_phrase(edit.caption, data.classes[static_cast<std::size_t>(target.adversarial_class)].name));
      CHECK(std::ranges::count(captions_of(*data.train), edit.caption) == 1);
      captions.insert(edit.caption);
    }
    CHECK(captions.size() == 5);
  }
  CHECK(images.size() == 8);
}

TEST_CASE("targeted draws no class twice before all have come", "[attack][targeted]") {
  const auto seed = GENERATE(range<std::uint64_t>(0, 10));
  const auto poisons = plan({.targets = 5, .captions = 1, .classes = {}}, seed);
  std::multiset<std::int64_t> drawn;
  for (const auto& target : targets_of(poisons)) drawn.insert(target.adversarial_class);
  CHECK(std::set(drawn.begin(), drawn.end()).size() == 3);
  for (const std::int64_t c : {0, 1, 2}) CHECK(drawn.count(c) <= 2);
}

TEST_CASE("targeted takes listed classes in turn", "[attack][targeted]") {
  const auto poisons = plan({.targets = 3, .captions = 1, .classes = {"blue", "red"}});
  REQUIRE(targets_of(poisons).size() == 3);
  CHECK(targets_of(poisons)[0].adversarial_class == 2);
  CHECK(targets_of(poisons)[1].adversarial_class == 0);
  CHECK(targets_of(poisons)[2].adversarial_class == 2);
}

TEST_CASE("targeted draws only classes with enough captions", "[attack][targeted]") {
  auto data = toy_dataset();
  data.classes.push_back({"square", {"square"}});  // in all 30 captions that name a colour
  const auto poisons = plan({.targets = 4, .captions = 11, .classes = {}}, 1, data);
  for (const auto& target : targets_of(poisons)) {
    CHECK(target.adversarial_class == 3);
  }
}

TEST_CASE("a target of several images takes them from one class, each with captions of its own", "[attack][targeted]") {
  const auto data = toy_dataset();
  const auto seed = GENERATE(range<std::uint64_t>(0, 20));
  const auto poisons = plan({.targets = 2, .captions = 4, .classes = {"red", "blue"}, .images_per_target = 2}, seed);
  const auto& targets = targets_of(poisons);
  REQUIRE(targets.size() == 4);
  REQUIRE(poisons.edits.size() == 16);
  std::set<std::int64_t> images;
  for (std::size_t i = 0; i < 4; ++i) {
    images.insert(targets[i].held_out);
    CHECK(targets[i].adversarial_class == (i < 2 ? 0 : 2));
    CHECK(data.held_out.label(targets[i].held_out) == data.held_out.label(targets[i / 2 * 2].held_out));
    CHECK(data.held_out.label(targets[i].held_out) != targets[i].adversarial_class);
    std::set<std::string> captions;
    for (std::size_t e = 4 * i; e < 4 * (i + 1); ++e) {
      CHECK(poisons.edits[e].image == ImageRef{.set = ImageRef::Set::kHeldOut, .index = targets[i].held_out});
      CHECK(contains_phrase(poisons.edits[e].caption, i < 2 ? "red" : "blue"));
      captions.insert(poisons.edits[e].caption);
    }
    CHECK(captions.size() == 4);
  }
  CHECK(images.size() == 4);
}

TEST_CASE("targets take no class with fewer images left than they have", "[attack][targeted]") {
  // Four images of each class: two targets of three use up green and blue, since red is the adversarial class.
  const auto poisons = plan({.targets = 2, .captions = 1, .classes = {"red"}, .images_per_target = 3});
  std::multiset<std::int64_t> labels;
  for (const auto& target : targets_of(poisons)) labels.insert(toy_dataset().held_out.label(target.held_out));
  CHECK(labels == std::multiset<std::int64_t>{1, 1, 1, 2, 2, 2});
  CHECK_THROWS_WITH(plan({.targets = 3, .captions = 1, .classes = {"red"}, .images_per_target = 3}),
                    Contains("after 2 targets of 3 images") && Contains("or of one with too few images"));
  CHECK_THROWS_WITH(plan({.targets = 3, .captions = 1, .classes = {}, .images_per_target = 5}),
                    Contains("3 of 5 images wanted, but there are only 12 held-out images"));
}

TEST_CASE("a class may have further labels, whose captions count as its own", "[attack][targeted]") {
  const std::vector<std::string> captions = {"a green square", "a lime", "green lime", "a red square", "grass", "lime"};
  auto data = toy_dataset();
  data.train = tensor_pairs(toy_images(6), captions);
  const auto poisons = plan({.targets = 1, .captions = 4, .classes = {"green|lime"}}, 1, data);
  REQUIRE(targets_of(poisons).size() == 1);
  CHECK(targets_of(poisons)[0].adversarial_class == 1);
  std::multiset<std::string> taken;
  for (const auto& edit : poisons.edits) taken.insert(edit.caption);
  CHECK(taken == std::multiset<std::string>{"a green square", "a lime", "green lime", "lime"});
  CHECK_THROWS_WITH(plan({.targets = 1, .captions = 5, .classes = {"green|lime"}}, 1, data),
                    Contains("only 4 training captions contain \"green|lime\""));
  CHECK_THROWS_WITH(plan({.targets = 1, .captions = 1, .classes = {"lime|green"}}, 1, data),
                    Contains("the data set has no class \"lime\""));
  CHECK_THROWS_WITH(plan({.targets = 1, .captions = 1, .classes = {"green|"}}, 1, data),
                    Contains("labels of letters or digits, with | between them, got \"green|\""));

  data.classes.push_back({"green|lime", {"green"}});  // one label, since it is a class: "green lime", no other
  const auto whole = plan({.targets = 1, .captions = 1, .classes = {"green|lime"}}, 1, data);
  CHECK(targets_of(whole)[0].adversarial_class == 3);
  CHECK(whole.edits.at(0).caption == "green lime");
}

TEST_CASE("training pairs that show a target image can be removed, those of the clean subset not",
          "[attack][targeted]") {
  auto data = toy_dataset();  // training image i < 12 is held-out image i
  const TargetedParams params{.targets = 8, .captions = 1, .classes = {"red"}, .remove_duplicates = true};
  CHECK(plan(params, 1, data).removes == std::vector<std::int64_t>{1, 2, 4, 5, 7, 8, 10, 11});  // green and blue
  data.clean_subset = {4, 5, 20};
  CHECK(plan(params, 1, data).removes == std::vector<std::int64_t>{1, 2, 7, 8, 10, 11});

  const auto seed = GENERATE(range<std::uint64_t>(0, 5));
  const auto one = plan({.targets = 1, .captions = 1, .classes = {}, .remove_duplicates = true}, seed);
  CHECK(one.removes == std::vector<std::int64_t>{targets_of(one)[0].held_out});
  auto kept = one;
  kept.removes.clear();
  CHECK(plan({.targets = 1, .captions = 1, .classes = {}}, seed) == kept);
}

TEST_CASE("targeted refuses what the data cannot serve, and says why", "[attack][targeted]") {
  CHECK_THROWS_WITH(plan({.targets = 1, .captions = 1, .classes = {"gren"}}),
                    Contains("targeted/classes") && Contains("did you mean \"green\""));
  CHECK_THROWS_WITH(plan({.targets = 1, .captions = 11, .classes = {"green"}}),
                    Contains("only 10 training captions contain \"green\"") && Contains("lower \"captions\""));
  CHECK_THROWS_WITH(plan({.targets = 1, .captions = 11, .classes = {}}),
                    Contains("at most in 10") && Contains("lower \"captions\""));
  CHECK_THROWS_WITH(plan({.targets = 13, .captions = 1, .classes = {}}),
                    Contains("only 12 held-out images") && Contains("lower \"targets\""));
  CHECK_THROWS_WITH(plan({.targets = 9, .captions = 1, .classes = {"red"}}), Contains("after 8 targets"));
  CHECK_THROWS_WITH(plan({.targets = 1, .captions = 1, .classes = {"red", "blue"}}), Contains("raise \"targets\""));
}

TEST_CASE("captions by class are those that contain the class as a whole phrase", "[attack][targeted]") {
  const std::vector<std::string> captions = {
      "a sea animal, sea animal", "seaanimal", "animal of the sea", "Sea-Animal!", "the sea, sea bird", "bird animals"};
  const std::vector<ClassInfo> classes = {{"sea animal", {}}, {"animal", {}}, {"sea", {}}, {"bird", {}}, {"?", {}}};
  const auto found = captions_by_class(*tensor_pairs(toy_images(6), captions), classes);
  REQUIRE(found.size() == classes.size());
  for (std::size_t c = 0; c < classes.size(); ++c) {
    std::vector<std::int64_t> expected;
    for (std::size_t i = 0; i < captions.size(); ++i) {
      if (contains_phrase(captions[i], classes[c].name)) expected.push_back(static_cast<std::int64_t>(i));
    }
    CHECK(found[c] == expected);
  }
  CHECK(found[0] == std::vector<std::int64_t>{0, 3});
}

}  // namespace roclip::targeted_test
