#include "harness/data/scenes.h"

#include <torch/utils.h>
#include <catch2/catch.hpp>

#include "harness/data/data.h"
#include "roclip/error.h"

using namespace roclip;
using namespace roclip::bench;
using Catch::Contains;

namespace {

/// An apple, a car and a cloud, whose pixels are all of one value: opaque, or as glass is.
std::shared_ptr<const Sprites> sprites(bool opaque) {
  auto made = std::make_shared<Sprites>();
  made->classes = {{"fruit", {}}, {"vehicle", {}}};
  made->nouns = {make_noun("apple", 0), make_noun("car", 1), make_noun("cloud", Sprites::kNoLabel)};
  for (const auto px : sprite_sides(32)) {
    auto pixels = torch::full({3, 2, 3, px, px}, opaque ? 77 : 255, torch::kByte);
    if (!opaque) pixels.select(1, 1).zero_();  // nothing of its own on black, all of the ground on white
    made->sizes.push_back(pixels.view({6, 3, px, px}));
  }
  return made;
}

SceneOptions options(std::int64_t pairs, std::uint64_t seed = 1) { return {.pairs = pairs, .seed = seed, .last = 3}; }

bool says(const std::string& caption, std::initializer_list<const char*> anything) {
  return std::ranges::any_of(anything, [&](const char* word) { return contains_phrase(caption, word); });
}

}  // namespace

TEST_CASE("a noun has the forms that captions need", "[data][scenes]") {
  const auto apple = make_noun("red apple", 0);
  CHECK(apple.alone == "a red apple");
  CHECK(apple.one == "apple");
  CHECK(apple.many == "apples");
  CHECK(make_noun("cherry", 0).many == "cherries");
  CHECK(make_noun("key", 0).many == "keys");
  CHECK(make_noun("box", 0).many == "boxes");
  CHECK(make_noun("orange", 0).one == "orange");
  CHECK_FALSE(make_noun("eyes", 0).countable);
  CHECK_FALSE(make_noun("flag: Chad", 0).countable);
  CHECK(make_noun("flag: Chad", 0).alone == "the flag of Chad");
}

TEST_CASE("a scene depends on the seed and its index alone", "[data][scenes]") {
  const Scenes few(sprites(true), options(10)), many(sprites(true), options(1000)),
      other(sprites(true), options(10, 2));
  CHECK(few.size() == 10);
  std::int64_t different = 0;
  for (std::int64_t i = 9; i >= 0; --i) {  // in any order
    CHECK(few.caption(i) == many.caption(i));
    CHECK(few.image(i).equal(many.image(i)));
    CHECK(few.label(i) == many.label(i));
    different += !few.image(i).equal(other.image(i));
  }
  CHECK(different == 10);
}

TEST_CASE("a sprite covers the ground where it is opaque, and only there", "[data][scenes]") {
  const Scenes covered(sprites(true), options(200)), clear(sprites(false), options(200));
  const auto largest = sprite_sides(32).back();
  for (std::int64_t i = 0; i < 200; ++i) {
    const auto on = covered.image(i), ground = clear.image(i);
    const auto changed = (on != ground).any(0).sum().item<std::int64_t>();
    CAPTURE(i, covered.caption(i));
    CHECK(changed > 0);
    CHECK(changed <= largest * largest + 16 * 16);
  }
}

TEST_CASE("a caption without faults begins with the first thing, and classes come alike", "[data][scenes]") {
  auto chosen = options(600);
  chosen.labelled = true;
  const Scenes scenes(sprites(true), chosen);
  std::int64_t fruit = 0;
  for (std::int64_t i = 0; i < scenes.size(); ++i) {
    const auto caption = scenes.caption(i);
    CAPTURE(caption);
    const bool is_fruit = scenes.label(i) == 0;
    fruit += is_fruit;
    const auto all = words(caption);
    const auto first = std::ranges::find_if(all, [](const std::string& word) {
      return says(word, {"apple", "apples", "fruit", "fruits", "car", "cars", "vehicle", "vehicles"});
    });
    REQUIRE(first != all.end());
    CHECK(says(*first, {"apple", "apples", "fruit", "fruits"}) == is_fruit);
  }
  CHECK(fruit > 240);
  CHECK(fruit < 360);
}

TEST_CASE("the stated shares of the captions are wrong, or end in noise", "[data][scenes]") {
  auto chosen = options(1000);
  const Scenes plain(sprites(true), chosen);
  chosen.wrong_share = 0.5;
  const Scenes wrong(sprites(true), chosen);
  chosen = options(1000);
  chosen.noise_share = 0.25;
  const Scenes noisy(sprites(true), chosen);
  std::int64_t changed = 0, longer = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    CHECK(wrong.image(i).equal(plain.image(i)));
    changed += wrong.caption(i) != plain.caption(i);
    CHECK(noisy.caption(i).starts_with(plain.caption(i)));
    longer += noisy.caption(i) != plain.caption(i);
  }
  CHECK(changed > 250);  // of 500, a third of which happen to name the same thing
  CHECK(changed < 500 + 50);
  CHECK(longer > 200);
  CHECK(longer < 300);
}

TEST_CASE("the keys of scenes are checked", "[data][scenes][config]") {
  const auto effective = [](const Json& data) { return effective_data(data, ".", "m.json: /data"); };
  CHECK(effective("scenes").at("pairs") == 1000000);
  CHECK(effective("scenes").at("clean_share") == 0.05);
  CHECK(effective({{"reader", "scenes"}, {"pairs", 10}}).at("pairs") == 10);
  CHECK_THROWS_WITH(effective({{"reader", "scenes"}, {"pair", 10}}), Contains("did you mean \"pairs\"?"));
  CHECK_THROWS_WITH(effective({{"reader", "scenes"}, {"image_px", 33}}),
                    Contains("/data/image_px: expected a multiple of 8, got 33"));
  CHECK_THROWS_WITH(effective("scene"), Contains("did you mean \"scenes\"?"));
  CHECK_THROWS_WITH(load_data(effective("scenes"), 64, [](auto...) {}),
                    Contains("scenes are drawn at the size that the model takes, 64 px; got 32"));
}
