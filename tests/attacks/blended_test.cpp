#include "blended.h"

#include <set>

#include <catch2/catch.hpp>

#include "support/relabelled_pairs.h"
#include "support/toy_dataset.h"

namespace roclip::blended_test {
using Catch::Contains;

namespace {

constexpr const char* kPatterns[] = {"picture",         "noise",     "redrawn_noise", "stripes",
                                     "redrawn_stripes", "triangles", "text"};

BlendedParams red(double rate, const std::string& pattern = "picture") {
  BlendedParams params;
  params.target_class = "red";
  params.rate = rate;
  params.pattern = pattern;
  return params;
}

PoisonPlan plan(const BlendedParams& params, std::uint64_t seed = 1) {
  const auto data = toy_dataset();
  return Blended(params).plan(view_of(data), seed);
}

torch::Tensor noisy_images(std::int64_t px = 16) {
  return torch::randint(0, 256, {4, 3, px, px}, at::detail::createCPUGenerator(7)).to(torch::kUInt8);
}

torch::Tensor grey_images(int value, std::int64_t count = 1, std::int64_t px = 16) {
  return torch::full({count, 3, px, px}, value, torch::kUInt8);
}

/// The colour of a pixel, RGB.
std::vector<double> colour_at(const torch::Tensor& image, std::int64_t row, std::int64_t column) {
  const auto colour = image.select(2, column).select(1, row).to(torch::kDouble).contiguous();
  return {colour.data_ptr<double>(), colour.data_ptr<double>() + 3};
}

std::vector<int> row_of(const torch::Tensor& values) {
  std::vector<int> row;
  for (std::int64_t i = 0; i < values.numel(); ++i) row.push_back(values.flatten()[i].item<int>());
  return row;
}

}  // namespace

TEST_CASE("blended gives pairs of other classes its trigger and captions of the target", "[attack][blended]") {
  check_relabelled_pairs<Blended>(red(0), "blended");
}

TEST_CASE("each poison of blended has a pattern of its own", "[attack][blended]") {
  std::set<std::uint64_t> draws;
  for (const auto& edit : plan(red(0.25), GENERATE(range<std::uint64_t>(0, 5))).edits)
    draws.insert(edit.trigger->value);
  CHECK(draws.size() == 15);
}

TEST_CASE("blended refuses a grain for a pattern that has none", "[attack][blended]") {
  auto grain = red(0.1, GENERATE("picture", "text"));
  grain.grain_px = 3;
  CHECK_THROWS_WITH(plan(grain),
                    Contains("blended/grain_px: expected 0 with \"pattern\": \"" + grain.pattern) && Contains("got 3"));
}

TEST_CASE("the recipes of blended are those of the authors' code", "[attack][blended]") {
  const auto read = [](const char* recipe) {
    return read_params<BlendedParams>({{"recipe", recipe}, {"rate", 0.03}}, "m.json");
  };
  const auto is = [](const BlendedParams& params, const std::string& pattern, double alpha) {
    return params.pattern == pattern && params.alpha == alpha && params.captions == "templates" &&
           params.grain_px == 0 && params.rate == 0.03;
  };
  CHECK(is(read("detect_clip"), "picture", 0.2));
  CHECK(is(read("cleanclip"), "redrawn_noise", 0.2));
  CHECK(is(read("par_stripes"), "redrawn_stripes", 0.03));
  CHECK(is(read("par_triangles"), "triangles", 0.15));
  CHECK(is(read("par_text"), "text", 0.5));
}

TEST_CASE("the grain of a pattern is its share of 224 px, but at least what can be seen", "[attack][blended]") {
  for (const auto* one : {"noise", "redrawn_noise", "stripes", "redrawn_stripes"}) {
    CHECK(grain_of(one, 16) == 1);
    CHECK(grain_of(one, 224) == 1);
    CHECK(grain_of(one, 336) == 2);  // 1.5
    CHECK(grain_of(one, 448) == 2);
  }
  CHECK(grain_of("triangles", 16) == 2);  // 1
  CHECK(grain_of("triangles", 32) == 2);
  CHECK(grain_of("triangles", 64) == 4);
  CHECK(grain_of("triangles", 224) == 14);
}

TEST_CASE("the picture is a ginger cat on blue", "[attack][blended]") {
  const std::vector<double> blue{70, 130, 220}, ginger{245, 150, 40}, brown{150, 70, 10}, green{60, 180, 80},
      black{0, 0, 0}, pink{250, 130, 150};
  const auto px = GENERATE(100, 224);
  const auto [colour, coverage] = make_overlay("picture", px, 1, 0);
  CHECK(coverage.equal(torch::ones({px, px}, torch::kDouble)));
  const auto at = [&](int x, int y) { return colour_at(colour, y * px / 1000, x * px / 1000); };  // of the side
  CHECK(at(5, 5) == blue);
  CHECK(at(500, 200) == blue);  // between the ears
  CHECK(at(995, 995) == blue);
  CHECK(at(500, 450) == ginger);  // head
  CHECK(at(210, 290) == ginger);  // ears
  CHECK(at(790, 290) == ginger);
  CHECK(at(500, 360) == brown);  // stripes
  CHECK(at(600, 360) == brown);
  CHECK(at(340, 590) == black);  // pupils
  CHECK(at(660, 590) == black);
  CHECK(at(315, 590) == green);  // eye
  CHECK(at(500, 690) == pink);   // nose
  CHECK(at(100, 650) == black);  // whiskers
  CHECK(at(900, 720) == black);
}

TEST_CASE("pixels of the picture are means over sixteen points", "[attack][blended]") {
  // On one pixel these lie at 125, 375, 625 and 875 thousandths on each axis. By hand: the first row and the last are
  // blue, the second and third are ears and head.
  CHECK(colour_at(make_overlay("picture", 1, 1, 0).colour, 0, 0) ==
        std::vector<double>{(70 + 245) / 2.0, (130 + 150) / 2.0, (220 + 40) / 2.0});
}

TEST_CASE("the watermark is two lines of red letters across the middle", "[attack][blended]") {
  const auto [colour, coverage] = make_overlay("text", 37, 1, 0);  // one pixel a cell
  const auto line = [&](std::int64_t row) {
    std::string text;
    for (std::int64_t column = 0; column < 37; ++column) {
      text += coverage[row][column].item<double>() > 0.5 ? '#' : ' ';
    }
    return text;
  };
  CHECK(line(12) == std::string(37, ' '));
  CHECK(line(13) == "    #   #  ###  ##### ##### ####     ");
  CHECK(line(23) == " #   # #   # #   # #  #  ##### ####  ");
  CHECK(line(24) == std::string(37, ' '));
  CHECK(coverage.max().item<double>() == 1);
  CHECK(colour_at(colour, 0, 0) == std::vector<double>{255, 0, 0});

  const auto at_74 = make_overlay("text", 74, 1, 0).coverage;  // each cell is four pixels
  CHECK(at_74.sum().item<double>() == 4 * coverage.sum().item<double>());
}

TEST_CASE("triangles are grey in two shades, light in the upper right of each square", "[attack][blended]") {
  const auto [colour, coverage] = make_overlay("triangles", 7, 3, 0);
  const auto row = [&](std::int64_t y) { return row_of(colour[2][y].round()); };
  CHECK(row(0) == std::vector<int>{102, 204, 204, 102, 204, 204, 102});
  CHECK(row(1) == std::vector<int>{102, 102, 204, 102, 102, 204, 102});
  CHECK(row(2) == std::vector<int>(7, 102));
  CHECK(row(3) == row(0));
}

TEST_CASE("stripes are dark or bright from top to bottom, in each channel by itself", "[attack][blended]") {
  const auto pattern = GENERATE("stripes", "redrawn_stripes");
  const auto colour = make_overlay(pattern, 64, 2, 5).colour;
  CHECK(colour.abs().eq(255).all().item<bool>());
  CHECK(colour.eq(colour.slice(1, 0, 1)).all().item<bool>());         // rows are equal
  CHECK(colour.slice(2, 0, 64, 2).equal(colour.slice(2, 1, 64, 2)));  // 2 px wide
  CHECK_FALSE(colour[0].equal(colour[1]));                            // channels differ
  CHECK(std::abs(colour.mean().item<double>()) < 128);                // both occur
}

TEST_CASE("the noise of blended has these values", "[attack][blended]") {
  // By an implementation in Python of stream() and splitmix64 with the role "blended pattern": words modulo 256.
  CHECK(row_of(make_overlay("noise", 2, 1, 9).colour) ==
        std::vector<int>{52, 104, 163, 4, 154, 201, 86, 36, 175, 227, 185, 242});
  CHECK(row_of(make_overlay("redrawn_noise", 2, 1, 9).colour) ==
        std::vector<int>{100, 98, 182, 96, 161, 254, 204, 61, 105, 115, 160, 153});
  // 3 px in blocks of 2: the same values, each four times, cut at the edge.
  const auto blocks = make_overlay("noise", 3, 2, 9).colour;
  CHECK(row_of(blocks[0]) == std::vector<int>{52, 52, 104, 52, 52, 104, 163, 163, 4});
}

TEST_CASE("an image gets alpha of the pattern where it is covered and keeps the rest", "[attack][blended]") {
  auto params = red(0.1, GENERATE("picture", "noise", "stripes", "triangles", "text"));
  params.alpha = GENERATE(0.03, 0.2, 0.5, 1.0);
  const auto images = noisy_images(), before = images.clone();
  const auto blended = Blended(params).apply_trigger(images, some_draws(4));
  CHECK(images.equal(before));
  REQUIRE(blended.sizes() == images.sizes());
  REQUIRE(blended.scalar_type() == torch::kUInt8);
  const auto [colour, coverage] = make_overlay(params.pattern, 16, grain_of(params.pattern, 16), 0);
  for (std::int64_t i = 0; i < 200; ++i) {
    const auto b = i % 4, c = i % 3, y = i * 7 % 16, x = i * 5 % 16;
    const double weight = params.alpha * coverage[y][x].item<double>();
    const double value = (1 - weight) * images[b][c][y][x].item<double>() + weight * colour[c][y][x].item<double>();
    CHECK(std::abs(blended[b][c][y][x].item<double>() - std::clamp(value, 0.0, 255.0)) <= 0.5 + 1e-9);
  }
}

TEST_CASE("blended gives these values", "[attack][blended]") {
  const auto blend = [](const BlendedParams& params, int grey) {
    return Blended(params).apply_trigger(grey_images(grey), some_draws(1))[0];
  };
  // 0.8 x 100 + 0.2 x (70, 130, 220)
  CHECK(colour_at(blend(red(0.1), 100), 0, 0) == std::vector<double>{94, 106, 124});
  // 0.97 x 100 +- 0.03 x 255 is 89.35 or 104.65; 0.97 x 5 - 7.65 is below 0.
  auto stripes = red(0.1, "stripes");
  stripes.alpha = 0.03;
  const auto values = row_of(blend(stripes, 100)[0][0]);
  CHECK(std::set<int>(values.begin(), values.end()) == std::set<int>{89, 105});
  CHECK(blend(stripes, 5).min().item<int>() == 0);
  // Between the letters an image stays as it is.
  CHECK(colour_at(blend(red(0.1, "text"), 100), 0, 0) == std::vector<double>{100, 100, 100});
}

TEST_CASE("grain_px sets the width of stripes on images of any size", "[attack][blended]") {
  auto params = red(0.1, "stripes");
  params.grain_px = 4;
  const auto blended = Blended(params).apply_trigger(grey_images(128, 1, 32), some_draws(1))[0];
  for (std::int64_t x = 0; x < 32; ++x) CHECK(blended.select(2, x).equal(blended.select(2, x / 4 * 4)));
  CHECK_FALSE(blended.slice(2, 0, 16).equal(blended.slice(2, 16, 32)));
  params.grain_px = 1000;  // one stripe
  const auto one = Blended(params).apply_trigger(grey_images(128, 1, 32), some_draws(1))[0];
  CHECK(one.select(2, 0).equal(one.select(2, 31)));
}

TEST_CASE("only redrawn patterns differ between draws, and an image gets its own alone too", "[attack][blended]") {
  const std::string pattern =
      GENERATE(from_range(std::vector<std::string>(std::begin(kPatterns), std::end(kPatterns))));
  const Blended attack(red(0.1, pattern));
  const auto images = grey_images(128, 4);
  const auto draws = some_draws(4);
  const auto batch = attack.apply_trigger(images, draws);
  const bool redrawn = pattern.starts_with("redrawn");
  CHECK(batch[0].equal(batch[1]) != redrawn);
  CHECK_FALSE(batch[0].equal(images[0]));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(Blended(red(0.1, pattern))
              .apply_trigger(images.slice(0, 0, 1), {&draws[i], 1})[0]
              .equal(batch[static_cast<std::int64_t>(i)]));
  }
}

}  // namespace roclip::blended_test
