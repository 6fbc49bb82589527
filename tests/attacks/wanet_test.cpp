#include "wanet.h"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "support/relabelled_pairs.h"
#include "support/toy_dataset.h"

namespace roclip::wanet_test {
using Catch::Contains;

namespace {

WanetParams red(double rate) {
  WanetParams params;
  params.target_class = "red";
  params.rate = rate;
  return params;
}

PoisonPlan plan(const WanetParams& params, std::uint64_t seed = 1) {
  const auto data = toy_dataset();
  return Wanet(params).plan(view_of(data), seed);
}

bool is_noisy(const Edit& edit) { return (edit.trigger->value & kWarpNoise) != 0; }

/// Rises by 8 from pixel to pixel, to the right (axis 0) or downwards (axis 1). @return uint8 [1, 3, 32, 32]
torch::Tensor ramp(int axis) {
  const auto values = (8 * torch::arange(32)).to(torch::kUInt8);
  return (axis == 0 ? values : values.unsqueeze(1)).expand({1, 3, 32, 32}).contiguous();
}

}  // namespace

TEST_CASE("wanet gives pairs of other classes its trigger and captions of the target", "[attack][wanet]") {
  check_relabelled_pairs<Wanet>(red(0), "wanet");
}

TEST_CASE("wanet plans are pure", "[attack][wanet]") {
  auto params = red(0.2);
  params.noise_ratio = 1;
  CHECK(plan(params, 1) == plan(params, 1));
  CHECK_FALSE(plan(params, 1) == plan(params, 2));
}

TEST_CASE("wanet has no pairs in noise mode unless asked", "[attack][wanet]") {
  for (const auto& edit : plan(red(0.25), GENERATE(range<std::uint64_t>(0, 5))).edits) CHECK_FALSE(is_noisy(edit));
}

TEST_CASE("pairs in noise mode come on top of the poisons and keep their captions", "[attack][wanet]") {
  const auto data = toy_dataset();
  auto params = red(0);
  params.count = 10;
  params.noise_ratio = 2;
  std::set<std::int64_t> replaced;
  int noisy = 0;
  for (const auto& edit : plan(params).edits) {
    replaced.insert(edit.replaces.value());
    CHECK(edit.trigger->trigger == 0);
    if (!is_noisy(edit)) continue;
    ++noisy;
    CHECK(edit.caption == data.train->caption(*edit.replaces));
  }
  CHECK(noisy == 20);
  CHECK(replaced.size() == 30);
}

TEST_CASE("wanet leaves the clean subset alone, in noise mode too", "[attack][wanet]") {
  auto data = toy_dataset();
  for (std::int64_t i = 0; i < 60; i += 2) data.clean_subset.push_back(i);
  auto params = red(0);
  params.count = 10;
  params.noise_ratio = 2;
  const auto poisons = Wanet(params).plan(view_of(data), 1);
  CHECK(poisons.edits.size() == 30);
  for (const auto& edit : poisons.edits) CHECK(*edit.replaces % 2 == 1);
}

TEST_CASE("wanet refuses more pairs in noise mode than there are", "[attack][wanet]") {
  auto noisy = red(0.5);
  noisy.noise_ratio = 2;
  CHECK_THROWS_WITH(plan(noisy), Contains("wanet/noise_ratio: 60 pairs in noise mode, but only 30"));
}

TEST_CASE("the recipes of wanet are those of the authors' code", "[attack][wanet]") {
  const auto cleanclip = read_params<WanetParams>({{"recipe", "cleanclip"}, {"rate", 0.03}}, "m.json");
  CHECK((cleanclip.k == 224 && cleanclip.s == 1 && cleanclip.grid_rescale == 1 && cleanclip.noise_ratio == 0));
  CHECK(cleanclip.rate == 0.03);
  const auto backdoorbench = read_params<WanetParams>({{"recipe", "backdoorbench"}}, "m.json");
  CHECK((backdoorbench.k == 4 && backdoorbench.s == 0.5 && backdoorbench.noise_ratio == 2));
}

TEST_CASE("the field of wanet has these values", "[attack][wanet]") {
  // By an implementation in Python of stream() and splitmix64 with the role "wanet field": eight values, x of all four
  // pixels, then y, each divided by the mean of the absolute values. No more control points than pixels: no splines.
  const auto expected = torch::tensor({-0.910388903, 0.660850348, -0.850848923, 0.27511791, -1.913480361, -1.87600097,
                                       0.622545578, -0.890767007},
                                      torch::kDouble)
                            .view({2, 2, 2});
  CHECK(warp_field(2, 2).allclose(expected, 0, 1e-8));
  CHECK(warp_field(224, 2).equal(warp_field(2, 2)));
  // Splines go through the control points: those in the corners stay in the corners.
  const auto fine = warp_field(2, 9);
  CHECK(torch::stack({fine[0][0], fine[0][8], fine[8][0], fine[8][8]}).view({2, 2, 2}).allclose(expected, 0, 1e-8));
}

TEST_CASE("pixels move by half the strength times the field, in pixels, on images of any size", "[attack][wanet]") {
  auto params = red(0.1);
  params.s = GENERATE(0.5, 1.0, 2.0);
  const int axis = GENERATE(0, 1);
  const auto before = ramp(axis);
  const auto after = Wanet(params).apply_trigger(before, some_draws(1));
  const auto moved = (after.to(torch::kDouble) - before.to(torch::kDouble))[0][0] / 8;  // px
  const auto expected = params.s / 32 * (31 / 2.0) * warp_field(params.k, 32).select(2, axis);
  const auto inside = [](const torch::Tensor& all) { return all.slice(0, 4, 28).slice(1, 4, 28); };
  CHECK(inside(moved - expected).abs().max().item<double>() <= 0.5 / 8 + 1e-9);  // rounded to whole values
}

TEST_CASE("wanet changes a copy, and nothing of an image of one colour", "[attack][wanet]") {
  auto params = red(0.1);
  params.k = GENERATE(2, 4, 224);
  const auto images = noisy_images(), before = images.clone();
  const auto warped = Wanet(params).apply_trigger(images, some_draws(4));
  CHECK(images.equal(before));
  CHECK(warped.sizes() == images.sizes());
  CHECK(warped.scalar_type() == torch::kUInt8);
  CHECK_FALSE(warped.equal(images));
  CHECK(Wanet(params).apply_trigger(toy_images(3), some_draws(3)).equal(toy_images(3)));
}

TEST_CASE("the warp is the same for all draws, but for the noise of training pairs in noise mode", "[attack][wanet]") {
  const Wanet attack(red(0.1));
  const auto image = noisy_images().slice(0, 0, 1).expand({4, 3, 8, 8});
  const std::vector<Draw> draws = {
      {.value = 1}, {.value = 2 | kWarpNoise, .test = true}, {.value = 1 | kWarpNoise}, {.value = 2 | kWarpNoise}};
  const auto warped = attack.apply_trigger(image, draws);
  CHECK(warped[0].equal(warped[1]));
  CHECK_FALSE(warped[0].equal(warped[2]));
  CHECK_FALSE(warped[2].equal(warped[3]));
  const std::span last(&draws[3], 1);
  CHECK(attack.apply_trigger(image.slice(0, 3), last)[0].equal(warped[3]));  // alone as among others
}

}  // namespace roclip::wanet_test
