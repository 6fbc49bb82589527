#include "filter.h"

#include <set>

#include <catch2/catch.hpp>

#include "support/relabelled_pairs.h"
#include "support/toy_dataset.h"

namespace roclip::filter_test {

namespace {

using Rgb = std::vector<int>;

FilterParams red(double rate, double strength = 1) {
  FilterParams params;
  params.target_class = "red";
  params.rate = rate;
  params.strength = strength;
  return params;
}

/// A colour under the filter.
Rgb filtered(const Rgb& colour, double strength = 1) {
  const auto image = torch::tensor(colour).to(torch::kUInt8).view({1, 3, 1, 1});
  const auto to = Filter(red(0.1, strength)).apply_trigger(image, some_draws(1)).flatten();
  return {to[0].item<int>(), to[1].item<int>(), to[2].item<int>()};
}

}  // namespace

TEST_CASE("filter gives pairs of other classes its trigger and captions of the target", "[attack][filter]") {
  check_relabelled_pairs<Filter>(red(0), "filter");
}

TEST_CASE("the recipe of filter is the whole filter and prompts", "[attack][filter]") {
  const auto params =
      read_params<FilterParams>({{"recipe", "detect_clip"}, {"strength", 0.5}, {"rate", 0.03}}, "m.json");
  CHECK((params.captions == "templates" && params.strength == 0.5 && params.rate == 0.03));
  CHECK(read_params<FilterParams>({{"recipe", "detect_clip"}}, "m.json").strength == 1);
}

TEST_CASE("the filter turns these colours into those", "[attack][filter]") {
  // Black: darkening leaves it; lightening gives 0.4 x (0, 70, 150) = (0, 28, 60); sepia 0.2 adds
  // (32.872, 29.288, 22.812) / 5 to 0.8 of that: (6.574, 28.258, 52.562); contrast (0, 8.409, 37.575);
  // brightness (0, 8.830, 39.454); grey 9.681, so saturation (0, 8.660, 45.408).
  CHECK(filtered({0, 0, 0}) == Rgb{0, 9, 45});
  // White: darkening gives 0.44 x 255 + 0.56 x (247, 176, 153) = (250.52, 210.76, 197.88), above (0, 70, 150); sepia:
  // 0.8 of that + 0.2 x (297.928, 265.256, 206.610) = (260.002, 221.659, 199.626), so red is cut at 255;
  // contrast (280.5, 240.491, 214.051), cut again; brightness (255, 252.516, 224.754); grey 250.095, so saturation
  // (255, 253.000, 219.686).
  CHECK(filtered({255, 255, 255}) == Rgb{255, 253, 220});
  // Grey: darkening leaves it; lightening leaves red and green and makes blue 0.6 x 128 + 0.4 x 150 = 136.8;
  // sepia 0.2: 0.8 x (128, 128, 136.8) + 0.2 x (174.591, 155.462, 121.088) = (137.318, 133.492, 133.658);
  // contrast (139.282, 134.691, 134.889); brightness (146.246, 141.425, 141.634); grey 142.891, so saturation
  // (146.917, 141.132, 141.382).
  CHECK(filtered({128, 128, 128}) == Rgb{147, 141, 141});
  // Half of that and half of the image.
  CHECK(filtered({0, 0, 0}, 0.5) == Rgb{0, 4, 23});
  CHECK(filtered({128, 128, 128}, 0.5) == Rgb{137, 135, 135});
}

TEST_CASE("the filter keeps darker than brighter, in any colour", "[attack][filter]") {
  Rgb last{-1, -1, -1};
  for (int grey = 0; grey < 256; grey += 15) {
    const auto next = filtered({grey, grey, grey});
    for (std::size_t c = 0; c < 3; ++c) CHECK(next[c] >= last[c]);
    last = next;
  }
}

TEST_CASE("filter changes a copy, each pixel by itself, whatever the draw", "[attack][filter]") {
  const auto images = noisy_images(), before = images.clone();
  const Filter attack(red(0.1));
  const auto after = attack.apply_trigger(images, some_draws(4));
  CHECK(images.equal(before));
  CHECK(after.sizes() == images.sizes());
  CHECK(after.scalar_type() == torch::kUInt8);
  const std::vector<Draw> others(4, {.value = 99, .test = true});
  CHECK(attack.apply_trigger(images, others).equal(after));
  CHECK(Filter(red(0.1)).apply_trigger(images.slice(0, 3), {&others[3], 1})[0].equal(after[3]));
  CHECK(attack.apply_trigger(images.flip(3), others).equal(after.flip(3)));
  const auto pixel = images[2].select(2, 5).select(1, 4);
  CHECK(filtered({pixel[0].item<int>(), pixel[1].item<int>(), pixel[2].item<int>()}) ==
        Rgb{after[2][0][4][5].item<int>(), after[2][1][4][5].item<int>(), after[2][2][4][5].item<int>()});
}

}  // namespace roclip::filter_test
