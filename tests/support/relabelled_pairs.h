/// What every attack keeps that poisons pairs by a trigger and a caption of the target class (see relabel_pairs()).
#pragma once

#include <algorithm>
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip {

/// @param params what the toy images need; target class and amount are set here. @param name of the attack
template <typename Plugin>
void check_relabelled_pairs(typename Plugin::Params params, const std::string& name) {
  using Catch::Contains;
  params.target_class = "red";
  auto data = toy_dataset();
  const auto plan = [&](const typename Plugin::Params& of, std::uint64_t seed = 1) {
    return Plugin(of).plan(view_of(data), seed);
  };
  const auto with_rate = [&](double rate) {
    auto with = params;
    with.rate = rate;
    return with;
  };

  SECTION("plans are pure") {
    CHECK(plan(with_rate(0.2), 1) == plan(with_rate(0.2), 1));
    CHECK_FALSE(plan(with_rate(0.2), 1) == plan(with_rate(0.2), 2));
  }

  SECTION("pairs of other classes get the trigger and a training caption of the target") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const auto poisons = plan(with_rate(0.25), seed);
      CHECK(poisons.goal == Goal(TriggeredImagesGoal{{0}}));
      CHECK(poisons.removes.empty());
      CHECK(poisons.edits.size() == 15);  // of 60 pairs
      std::set<std::int64_t> replaced;
      for (const auto& edit : poisons.edits) {
        REQUIRE(edit.replaces);
        REQUIRE((*edit.replaces >= 0 && *edit.replaces < data.train->size()));
        replaced.insert(*edit.replaces);
        CHECK(edit.image == ImageRef{.set = ImageRef::Set::kTrain, .index = *edit.replaces});
        REQUIRE(edit.trigger);
        CHECK(edit.trigger->trigger == 0);
        CHECK_FALSE(contains_phrase(data.train->caption(*edit.replaces), "red"));
        CHECK(contains_phrase(edit.caption, "red"));
        CHECK(std::ranges::count(captions_of(*data.train), edit.caption) == 1);
      }
      CHECK(replaced.size() == 15);
    }
  }

  SECTION("captions can be the prompts of the class") {
    auto templates = with_rate(0.5);
    templates.captions = "templates";
    std::set<std::string> captions;
    for (const auto& edit : plan(templates).edits) captions.insert(edit.caption);
    CHECK(captions == std::set<std::string>{"red", "a red square"});
  }

  SECTION("count is a number of pairs, and none is of the clean subset") {
    for (std::int64_t i = 0; i < 60; i += 2) data.clean_subset.push_back(i);
    auto counted = params;
    counted.count = 20;
    const auto poisons = plan(counted);
    CHECK(poisons.edits.size() == 20);
    for (const auto& edit : poisons.edits) CHECK(*edit.replaces % 2 == 1);
  }

  SECTION("what the data cannot serve is refused") {
    CHECK_THROWS_WITH(plan(params), Contains(name + ": set exactly one of \"rate\""));
    auto both = with_rate(0.1);
    both.count = 5;
    CHECK_THROWS_WITH(plan(both), Contains("exactly one of \"rate\" (got 0.1) and \"count\" (got 5)"));
    CHECK_THROWS_WITH(plan(with_rate(0.001)), Contains(name + "/rate: 0.001 of 60") && Contains("raise \"rate\""));
    CHECK_THROWS_WITH(plan(with_rate(1)),
                      Contains(name + "/rate: 60 pairs") && Contains("only 50 pairs of other classes"));
    auto unknown = with_rate(0.1);
    unknown.target_class = "blu";
    CHECK_THROWS_WITH(plan(unknown), Contains(name + "/target_class") && Contains("did you mean \"blue\""));
  }

  SECTION("a class that no caption names can be the target only by its prompts") {
    data.classes.push_back({"purple", {"purple"}});
    auto purple = with_rate(0.1);
    purple.target_class = "purple";
    CHECK_THROWS_WITH(plan(purple), Contains("no training caption contains \"purple\""));
    purple.captions = "templates";
    CHECK(plan(purple).edits.size() == 6);
  }
}

}  // namespace roclip
