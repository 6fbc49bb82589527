#include "clip.h"

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::clip_test {

TEST_CASE("the clip defense augments nothing unless it is asked to", "[defense][clip]") {
  FakeClip model({{"red", {1, 0}}});
  ToySurroundings toy(model, {"red", "red"});
  const auto pixels = torch::rand({2, 3, 4, 4});
  ClipDefense plain({}),
      augmented({.image_augmentation = true, .text_augmentation = true, .image = {}, .text = {1.0, 0.1}});
  CHECK(torch::equal(plain.augment_images(pixels, toy.context), pixels));
  CHECK(plain.augment_caption("a red apple", toy.context) == "a red apple");
  CHECK_FALSE(torch::equal(augmented.augment_images(pixels, toy.context), pixels));
  int changed = 0;
  for (int i = 0; i < 20; ++i)
    changed += augmented.augment_caption("a red apple", toy.context) != "a red apple" ? 1 : 0;
  CHECK(changed >= 15);
}

TEST_CASE("the base class visits every pair once an epoch, in another order each time", "[defense][clip]") {
  FakeClip model({{"red", {1, 0}}});
  ToySurroundings toy(model, std::vector<std::string>(50, "red"));
  ClipDefense defense({});
  const auto first = defense.choose_samples(toy.context), second = defense.choose_samples(toy.context);
  CHECK(torch::equal(std::get<0>(first.sort()), torch::arange(50)));
  CHECK_FALSE(torch::equal(first, second));
}

}  // namespace roclip::clip_test
