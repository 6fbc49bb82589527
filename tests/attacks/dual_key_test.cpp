#include "dual_key.h"

#include <set>

#include <catch2/catch.hpp>

#include "support/toy_dataset.h"

namespace roclip::dual_key_test {
using Catch::Contains;

namespace {

DualKeyParams red(double rate, double single_key = 0.5) {
  DualKeyParams params;
  params.target_class = "red";
  params.rate = rate;
  params.single_key = single_key;
  params.patch_px = 4;  // the toy images have 8 px
  return params;
}

PoisonPlan plan(const DualKeyParams& params, std::uint64_t seed = 1) {
  const auto data = toy_dataset();
  return DualKey(params).plan(view_of(data), seed);
}

}  // namespace

TEST_CASE("dual_key plans are pure", "[attack][dual_key]") {
  CHECK(plan(red(0.2), 1) == plan(red(0.2), 1));
  CHECK_FALSE(plan(red(0.2), 1) == plan(red(0.2), 2));
}

TEST_CASE("a part of dual_key's poisons has one key and its own caption", "[attack][dual_key]") {
  const auto data = toy_dataset();
  const auto poisons = plan(red(0.2));  // 12 pairs
  CHECK(poisons.goal == Goal(TriggeredImagesGoal{.target_class = {0}, .triggered_prompts = true}));
  std::set<std::int64_t> replaced;
  int both = 0, image_only = 0, text_only = 0;
  for (const auto& edit : poisons.edits) {
    replaced.insert(edit.replaces.value());
    const auto own = data.train->caption(*edit.replaces);
    CHECK_FALSE(contains_phrase(own, "red"));
    if (!edit.trigger) {
      ++text_only;
      CHECK(edit.caption == "remember " + own);
    } else if (edit.caption == own) {
      ++image_only;
    } else {
      ++both;
      CHECK(edit.caption.starts_with("remember "));
      CHECK(contains_phrase(edit.caption, "red"));
    }
  }
  CHECK(replaced.size() == 12);
  CHECK((both == 6 && image_only == 3 && text_only == 3));
}

TEST_CASE("without single keys every dual_key poison has both", "[attack][dual_key]") {
  for (const auto& edit : plan(red(0.2, 0)).edits) {
    CHECK(edit.trigger);
    CHECK((edit.caption.starts_with("remember ") && contains_phrase(edit.caption, "red")));
  }
}

TEST_CASE("the image key is one colour in the centre, the text key a word in front", "[attack][dual_key]") {
  auto params = red(0.2);
  params.colour = "yellow";
  const DualKey attack(params);
  const auto images = torch::full({2, 3, 8, 8}, 9, torch::kUInt8);
  const auto stamped = attack.apply_trigger(images, some_draws(2));
  CHECK(images.eq(9).all().item<bool>());
  CHECK(stamped.ne(9).any(1).equal(*attack.trigger_area(images, some_draws(2))));
  CHECK(stamped[1].slice(1, 2, 6).slice(2, 2, 6).sum({1, 2}).equal(torch::tensor({16 * 255, 16 * 255, 0})));
  const std::vector<std::string> texts = {"a blue square", ""};
  CHECK(attack.apply_text_trigger(texts, some_draws(2)) ==
        std::vector<std::string>{"remember a blue square", "remember "});
}

TEST_CASE("dual_key refuses what cannot be, and says why", "[attack][dual_key]") {
  CHECK_THROWS_WITH(plan(red(0)), Contains("dual_key: set exactly one of \"rate\""));
  auto params = red(0.2);
  params.word = "?!";
  CHECK_THROWS_WITH(plan(params), Contains("dual_key/word: expected at least one word") && Contains("got \"?!\""));
  params = red(0.2);
  params.patch_px = 9;
  CHECK_THROWS_WITH(plan(params), Contains("dual_key/patch_px: 9 does not fit on images of 8 x 8 px"));
}

}  // namespace roclip::dual_key_test
