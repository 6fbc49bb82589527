#include "badnets.h"

#include <set>

#include <catch2/catch.hpp>

#include "support/relabelled_pairs.h"
#include "support/toy_dataset.h"

namespace roclip::badnets_test {
using Catch::Contains;

namespace {

BadnetsParams red(double rate) {
  BadnetsParams params;
  params.target_class = "red";
  params.rate = rate;
  params.patch_px = 3;
  return params;
}

PoisonPlan plan(const BadnetsParams& params, std::uint64_t seed = 1) {
  const auto data = toy_dataset();
  return Badnets(params).plan(view_of(data), seed);
}

}  // namespace

TEST_CASE("badnets gives pairs of other classes its trigger and captions of the target", "[attack][badnets]") {
  check_relabelled_pairs<Badnets>(red(0), "badnets");
}

TEST_CASE("badnets refuses a patch larger than the image", "[attack][badnets]") {
  auto large = red(0.1);
  large.patch_px = 9;
  CHECK_THROWS_WITH(plan(large), Contains("badnets/patch_px: 9 does not fit on images of 8 x 8 px"));
}

TEST_CASE("the patterns of badnets have these pixels", "[attack][badnets]") {
  const std::vector<int> dots = {255, 0, 255,  //
                                 0,   0, 0,    //
                                 255, 0, 255};
  const auto checker = make_patch("checker", 3);
  for (const int channel : {0, 1, 2}) CHECK(pixel_values(checker[channel]) == dots);
  CHECK(pixel_values(make_patch("white", 2)) == std::vector<int>(12, 255));
  CHECK(pixel_values(make_patch("yellow", 1)) == std::vector<int>{255, 255, 0});
  // By an implementation in Python of stream() and splitmix64 with the role "badnets noise patch", then
  // int(255 * min(max(0.5 + sum(uniform() for _ in range(12)) - 6, 0), 1) + 0.5) for each value.
  CHECK(pixel_values(make_patch("noise", 3)) == std::vector<int>{255, 255, 0,  134, 0,  255, 0,   0,   0,  //
                                                                 200, 89,  57, 0,   67, 0,   199, 230, 0,  //
                                                                 235, 19,  0,  255, 68, 255, 0,   236, 255});
}

TEST_CASE("the picture of badnets has halves, a disc and a core", "[attack][badnets]") {
  const auto picture = make_patch("picture", 7);
  const auto colour = [&](std::int64_t y, std::int64_t x) { return pixel_values(picture.select(1, y).select(1, x)); };
  CHECK(colour(0, 0) == std::vector<int>{255, 210, 0});    // the left half
  CHECK(colour(6, 6) == std::vector<int>{20, 60, 200});    // the right half
  CHECK(colour(1, 3) == std::vector<int>{255, 255, 255});  // 4 half pixels up: 16 is within 0.85^2 * 49 = 35.4 ...
  CHECK(colour(5, 3) == std::vector<int>{0, 0, 0});
  CHECK(colour(2, 3) == std::vector<int>{230, 30, 60});  // ... and 2^2 = 4 within 0.4^2 * 49 = 7.84
  CHECK(colour(0, 3) == std::vector<int>{20, 60, 200});  // 36 is not; the middle column counts as right
}

TEST_CASE("stripes are black or white by column and channel, drawn anew", "[attack][badnets]") {
  CHECK((is_redrawn("stripes") && is_redrawn("gaussian")));
  CHECK_FALSE((is_redrawn("checker") || is_redrawn("noise") || is_redrawn("picture")));
  std::set<std::vector<int>> seen;
  for (const auto& draw : some_draws(50)) {
    const auto patch = redrawn_patch("stripes", 4, noisy_images()[0], draw);
    CHECK(patch.equal(redrawn_patch("stripes", 4, noisy_images()[1], draw)));
    for (std::int64_t y = 1; y < 4; ++y) CHECK(patch.select(1, y).equal(patch.select(1, 0)));
    for (const int value : pixel_values(patch)) CHECK((value == 0 || value == 255));
    seen.insert(pixel_values(patch.select(1, 0)));
  }
  CHECK(seen.size() > 45);  // 12 coins each
}

TEST_CASE("the Gaussian patch is the mean of each channel plus noise, wrapped, drawn anew", "[attack][badnets]") {
  auto image = torch::zeros({3, 8, 8}, torch::kUInt8);
  image[0].slice(0, 0, 4).fill_(200);  // mean 100
  image[1].fill_(30);
  const auto patch = pixel_values(redrawn_patch("gaussian", 3, image, Draw{.value = 5}));
  // By an implementation in Python of stream() and splitmix64 with the role "badnets redrawn patch", then
  // trunc(mean + 255 * (sum(uniform() for _ in range(12)) - 6)) % 256 for each value.
  CHECK(patch == std::vector<int>{19,  224, 63,  201, 94,  231, 193, 152, 140,  //
                                  198, 43,  101, 69,  117, 200, 57,  31,  165,  //
                                  77,  73,  191, 82,  65,  132, 3,   155, 179});
  CHECK(pixel_values(redrawn_patch("gaussian", 3, image, Draw{.value = 6})) != patch);
  CHECK(pixel_values(redrawn_patch("gaussian", 3, image, Draw{.value = 5, .test = true})) == patch);
}

TEST_CASE("a patch of so many px of 224 scales with the image, down to 4 px", "[attack][badnets]") {
  auto params = red(0.1);
  CHECK(params.side(224, "badnets") == 3);  // patch_px
  params.patch_px = 0;
  CHECK(params.side(224, "badnets") == 16);
  CHECK(params.side(336, "badnets") == 24);
  CHECK(params.side(64, "badnets") == 5);  // 4.57
  CHECK(params.side(32, "badnets") == 4);  // 2.3 would be lost
  params.patch_px_of_224 = 50;
  CHECK(params.side(32, "badnets") == 7);  // 7.14
  params.patch_px_of_224 = 224;
  CHECK(params.side(2, "badnets") == 2);
}

TEST_CASE("badnets puts its patches where location says", "[attack][badnets]") {
  CHECK((patch_corners("bottom_right", 8, 3, {}) == std::vector<Corner>{{5, 5}}));
  CHECK((patch_corners("centre", 8, 3, {}) == std::vector<Corner>{{2, 2}}));
  CHECK((patch_corners("four_corners", 8, 3, {}) == std::vector<Corner>{{0, 0}, {0, 5}, {5, 0}, {5, 5}}));
}

TEST_CASE("a random location fits, repeats for a draw and differs between draws", "[attack][badnets]") {
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (const auto& draw : some_draws(200)) {
    const auto corners = patch_corners("random", 8, 3, draw);
    REQUIRE(corners.size() == 1);
    CHECK((corners == patch_corners("random", 8, 3, draw)));
    CHECK((corners[0].top >= 0 && corners[0].top <= 5 && corners[0].left >= 0 && corners[0].left <= 5));
    seen.insert({corners[0].top, corners[0].left});
  }
  CHECK(seen.size() > 30);  // of 36
}

TEST_CASE("random_then_centre is [16, 208) of 224 in training and the centre in tests", "[attack][badnets]") {
  std::int64_t least = 224, most = 0;
  for (auto draw : some_draws(4000)) {
    const auto [top, left] = patch_corners("random_then_centre", 224, 16, draw).at(0);
    least = std::min({least, top, left});
    most = std::max({most, top, left});
    draw.test = true;
    CHECK((patch_corners("random_then_centre", 224, 16, draw) == std::vector<Corner>{{104, 104}}));
  }
  CHECK(least == 16);
  CHECK(most == 207);
  // Too large for that margin: anywhere above and left of the last place.
  std::set<std::int64_t> tops;
  for (const auto& draw : some_draws(50)) tops.insert(patch_corners("random_then_centre", 8, 4, draw).at(0).top);
  CHECK(tops == std::set<std::int64_t>{0, 1, 2, 3});
  CHECK((patch_corners("random_then_centre", 8, 8, Draw{}) == std::vector<Corner>{{0, 0}}));
}

TEST_CASE("the recipes of badnets set what was published", "[attack][badnets]") {
  const auto of = [](const std::string& recipe) {
    return read_params<BadnetsParams>({{"recipe", recipe}, {"target_class", "red"}, {"rate", 0.1}}, "m.json");
  };
  struct Published {
    std::string recipe, captions, pattern, location;
    std::int64_t px_of_32;
  };
  for (const auto& [recipe, captions, pattern, location, px] :
       {Published{"detectclip", "templates", "checker", "random_then_centre", 4},
        Published{"carlini", "real", "checker", "random_then_centre", 4},
        Published{"cleanclip", "templates", "gaussian", "random", 4},
        Published{"par", "templates", "stripes", "random", 4},
        Published{"sslbackdoor", "templates", "picture", "random", 7}}) {
    const auto params = of(recipe);
    CHECK(params.captions == captions);
    CHECK(params.pattern == pattern);
    CHECK(params.location == location);
    CHECK(params.side(32, "badnets") == px);
    CHECK(plan(params).edits.size() == 6);  // images of 8 px are large enough
  }
  CHECK(read_params<BadnetsParams>({{"recipe", "par"}, {"patch_px", 9}}, "m.json").side(32, "badnets") == 9);
}

TEST_CASE("badnets stamps a redrawn patch of the image as it is, once or in each corner", "[attack][badnets]") {
  auto params = red(0.1);
  params.pattern = GENERATE("gaussian", "stripes");
  params.location = GENERATE("random", "four_corners");
  const auto images = noisy_images();
  const auto draws = some_draws(4);
  const auto stamped = Badnets(params).apply_trigger(images, draws);
  auto expected = images.clone();
  for (std::int64_t b = 0; b < 4; ++b) {
    const auto& draw = draws[static_cast<std::size_t>(b)];
    const auto patch = redrawn_patch(params.pattern, 3, images[b], draw);
    for (const auto [top, left] : patch_corners(params.location, 8, 3, draw)) {
      expected[b].slice(1, top, top + 3).slice(2, left, left + 3).copy_(patch);
    }
  }
  CHECK(stamped.equal(expected));
  CHECK_FALSE(stamped.equal(images));
}

TEST_CASE("badnets stamps the patch, leaves pixels outside it alone and its argument as it was", "[attack][badnets]") {
  auto params = red(0.1);
  params.pattern = GENERATE("checker", "white", "yellow", "noise", "picture");
  params.location = GENERATE("bottom_right", "centre", "four_corners", "random", "random_then_centre");
  const auto images = noisy_images(), before = images.clone();
  const auto draws = some_draws(4);
  const auto stamped = Badnets(params).apply_trigger(images, draws);
  CHECK(images.equal(before));
  REQUIRE(stamped.sizes() == images.sizes());
  REQUIRE(stamped.scalar_type() == torch::kUInt8);

  const auto patch = make_patch(params.pattern, 3);
  auto expected = images.clone();
  for (std::int64_t b = 0; b < images.size(0); ++b) {
    for (const auto [top, left] : patch_corners(params.location, 8, 3, draws[static_cast<std::size_t>(b)])) {
      for (std::int64_t c = 0; c < 3; ++c) {
        for (std::int64_t y = 0; y < 3; ++y) {
          for (std::int64_t x = 0; x < 3; ++x) expected[b][c][top + y][left + x] = patch[c][y][x];
        }
      }
    }
  }
  CHECK(stamped.equal(expected));
}

TEST_CASE("an image gets the same stamp alone and in a batch, from any object", "[attack][badnets]") {
  auto params = red(0.1);
  params.pattern = GENERATE("noise", "gaussian", "stripes");
  params.location = GENERATE("bottom_right", "random");
  const auto images = noisy_images();
  const auto draws = some_draws(4);
  const auto batch = Badnets(params).apply_trigger(images, draws);
  for (std::int64_t b = 0; b < images.size(0); ++b) {
    const std::span draw(&draws[static_cast<std::size_t>(b)], 1);
    CHECK(Badnets(params).apply_trigger(images.slice(0, b, b + 1), draw)[0].equal(batch[b]));
  }
}

TEST_CASE("a stamp in a fixed place is idempotent", "[attack][badnets]") {
  auto params = red(0.1);
  params.location = GENERATE("bottom_right", "centre", "four_corners");
  const Badnets attack(params);
  const auto once = attack.apply_trigger(noisy_images(), some_draws(4));
  CHECK(attack.apply_trigger(once, some_draws(4)).equal(once));
}

}  // namespace roclip::badnets_test
