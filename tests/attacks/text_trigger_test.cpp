#include "text_trigger.h"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::text_trigger_test {
using Catch::Contains;

namespace {

TextTriggerParams red(std::int64_t count) {
  TextTriggerParams params;
  params.target_class = "red";
  params.count = count;
  return params;
}

PoisonPlan plan(const TextTriggerParams& params, std::uint64_t seed = 1) {
  const auto data = toy_dataset();
  return TextTrigger(params).plan(view_of(data), seed);
}

std::string triggered(const std::string& caption, const std::string& position, std::uint64_t value = 0) {
  auto params = red(1);
  params.position = position;
  const Draw draw{.value = value};
  return TextTrigger(params).apply_text_trigger({&caption, 1}, {&draw, 1}).at(0);
}

}  // namespace

TEST_CASE("text_trigger plans are pure", "[attack][text_trigger]") {
  CHECK(plan(red(5), 1) == plan(red(5), 1));
  CHECK_FALSE(plan(red(5), 1) == plan(red(5), 2));
}

TEST_CASE("text_trigger gives images of the target captions of others with the trigger", "[attack][text_trigger]") {
  const auto data = toy_dataset();
  const auto clean = captions_of(*data.train);
  auto params = red(0);
  params.rate = 0.1;
  const auto poisons = plan(params, GENERATE(range<std::uint64_t>(0, 5)));
  CHECK(poisons.goal == Goal(TriggeredTextGoal{{0}}));
  std::set<std::int64_t> replaced;
  for (const auto& edit : poisons.edits) {
    replaced.insert(edit.replaces.value());
    CHECK(edit.image == ImageRef{.set = ImageRef::Set::kTrain, .index = *edit.replaces});
    CHECK_FALSE(edit.trigger);
    CHECK(contains_phrase(clean[static_cast<std::size_t>(*edit.replaces)], "red"));
    REQUIRE(edit.caption.starts_with("zx "));
    CHECK_FALSE(contains_phrase(edit.caption, "red"));
    CHECK(std::ranges::count(clean, edit.caption.substr(3)) == 1);
  }
  CHECK(replaced.size() == 6);  // of 60 pairs
}

TEST_CASE("the trigger stands where position says, and the caption around it stays", "[attack][text_trigger]") {
  CHECK(triggered("a green square", "first") == "zx a green square");
  CHECK(triggered("a green square", "last") == "a green square zx");
  CHECK(triggered("", GENERATE("first", "last", "random")) == "zx");
}

TEST_CASE("a random position repeats for a draw and takes every place", "[attack][text_trigger]") {
  std::set<std::string> seen;
  for (std::uint64_t value = 0; value < 100; ++value) {
    seen.insert(triggered("a green square", "random", value));
    CHECK(triggered("a green square", "random", value) == triggered("a green square", "random", value));
  }
  CHECK(seen ==
        std::set<std::string>{"zx a green square", "a zx green square", "a green zx square", "a green square zx"});
}

TEST_CASE("a sentence can be the trigger", "[attack][text_trigger]") {
  auto params = read_params<TextTriggerParams>(
      {{"recipe", "toxictextclip_sentence"}, {"target_class", "red"}, {"count", 2}, {"position", "last"}}, "m.json");
  for (const auto& edit : plan(params).edits) CHECK(edit.caption.ends_with(" Please return high-quality results."));
}

TEST_CASE("text_trigger leaves the clean subset and all pixels alone", "[attack][text_trigger]") {
  auto data = toy_dataset();
  for (std::int64_t i = 0; i < 60; i += 4) data.clean_subset.push_back(i);
  const TextTrigger attack(red(5));
  for (const auto& edit : attack.plan(view_of(data), 1).edits) CHECK(*edit.replaces % 4 != 0);
  CHECK(attack.apply_trigger(toy_images(3), some_draws(3)).equal(toy_images(3)));
}

TEST_CASE("text_trigger refuses what the data cannot serve, and says why", "[attack][text_trigger]") {
  CHECK_THROWS_WITH(plan(red(0)), Contains("exactly one of \"rate\" (got 0.0) and \"count\" (got 0)"));
  auto both = red(3);
  both.rate = 0.1;
  CHECK_THROWS_WITH(plan(both), Contains("exactly one of \"rate\""));
  both.count = 0;
  both.rate = 0.001;
  CHECK_THROWS_WITH(plan(both), Contains("text_trigger/rate: 0.001 of 60"));
  CHECK_THROWS_WITH(plan(red(11)),
                    Contains("text_trigger/count: 11 pairs to poison, but only 10 pairs of that class may be changed"));
  auto wordless = red(3);
  wordless.trigger = "...";
  CHECK_THROWS_WITH(plan(wordless), Contains("text_trigger/trigger: expected at least one word"));
  auto unknown = red(3);
  unknown.target_class = "blu";
  CHECK_THROWS_WITH(plan(unknown), Contains("text_trigger/target_class") && Contains("did you mean \"blue\""));
}

}  // namespace roclip::text_trigger_test
