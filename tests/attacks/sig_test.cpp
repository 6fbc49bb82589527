#include "sig.h"

#include <set>

#include <catch2/catch.hpp>

#include "support/relabelled_pairs.h"
#include "support/toy_dataset.h"

namespace roclip::sig_test {
using Catch::Contains;

namespace {

SigParams red(double rate) {
  SigParams params;
  params.target_class = "red";
  params.rate = rate;
  params.frequency = 2;  // the toy images have 8 px
  return params;
}

PoisonPlan plan(const SigParams& params, std::uint64_t seed = 1) {
  const auto data = toy_dataset();
  return Sig(params).plan(view_of(data), seed);
}

/// The first row of an image of one grey, 12 px wide, with the wave.
std::vector<int> row(SigParams params, int grey) {
  params.frequency = 1;
  const auto image = torch::full({1, 3, 12, 12}, grey, torch::kUInt8);
  const auto waved = Sig(params).apply_trigger(image, some_draws(1))[0];
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t y = 0; y < 12; ++y) CHECK(waved[c][y].equal(waved[0][0]));
  }
  std::vector<int> values;
  for (std::int64_t x = 0; x < 12; ++x) values.push_back(waved[0][0][x].item<int>());
  return values;
}

}  // namespace

TEST_CASE("sig gives pairs of other classes its trigger and captions of the target", "[attack][sig]") {
  check_relabelled_pairs<Sig>(red(0), "sig");
}

TEST_CASE("sig refuses a wave that the pixels cannot show", "[attack][sig]") {
  auto fast = red(0.1);
  fast.frequency = 4;
  CHECK_THROWS_WITH(plan(fast), Contains("sig/frequency: expected less than half of the 8 px") && Contains("got 4"));
}

TEST_CASE("the recipes of sig are those of the authors' code", "[attack][sig]") {
  const auto read = [](const char* recipe) {
    return read_params<SigParams>({{"recipe", recipe}, {"rate", 0.03}}, "m.json");
  };
  const auto cleanclip = read("cleanclip"), badclip = read("badclip"), backdoorbench = read("backdoorbench");
  CHECK((cleanclip.mode == "blend" && cleanclip.delta == 60 && cleanclip.frequency == 6 && cleanclip.rate == 0.03));
  CHECK((badclip.mode == "add" && badclip.delta == 60 && badclip.frequency == 6));
  CHECK((cleanclip.captions == "templates" && badclip.captions == "templates" && backdoorbench.captions == "real"));
  CHECK((backdoorbench.mode == "add" && backdoorbench.delta == 40 && backdoorbench.frequency == 6));
}

TEST_CASE("an added wave goes up and down by delta and is cut at black and white", "[attack][sig]") {
  // 40 x (0, 1/2, 0.8660, 1, ...) is 0, 20, 34.64, 40, 34.64, 20, 0, -20, ...
  CHECK(row(red(0.1), 100) == std::vector<int>{100, 120, 135, 140, 135, 120, 100, 80, 65, 60, 65, 80});
  CHECK(row(red(0.1), 0) == std::vector<int>{0, 20, 35, 40, 35, 20, 0, 0, 0, 0, 0, 0});
  CHECK(row(red(0.1), 250) == std::vector<int>{250, 255, 255, 255, 255, 255, 250, 230, 215, 210, 215, 230});
  auto params = red(0.1);
  params.delta = 60;
  CHECK(row(params, 100) == std::vector<int>{100, 130, 152, 160, 152, 130, 100, 70, 48, 40, 48, 70});
}

TEST_CASE("a blended wave keeps 0.8 of the image and 0.2 of the wave", "[attack][sig]") {
  auto params = red(0.1);
  params.mode = "blend";
  params.delta = 60;
  // 80 + 12 x (0, 1/2, 0.8660, 1, ...): 80, 86, 90.39, 92
  CHECK(row(params, 100) == std::vector<int>{80, 86, 90, 92, 90, 86, 80, 74, 70, 68, 70, 74});
}

TEST_CASE("the wave has its frequency on images of any size", "[attack][sig]") {
  for (const std::int64_t px : {16, 32, 224}) {
    const auto values = wave(40, 2, px);
    CHECK(values[0].item<double>() == 0);
    CHECK(values[px / 8].item<double>() == 40);
    CHECK(values[3 * px / 8].item<double>() == -40);
    CHECK(values[px / 2].item<double>() == 0);
    CHECK(values[5 * px / 8].item<double>() == 40);
  }
  CHECK(std::abs(wave(1, 6, 224)[5].item<double>() - 0.745642) < 1e-6);  // sin(2 pi 30 / 224)
}

TEST_CASE("sig changes a copy, by the same wave for every draw", "[attack][sig]") {
  auto params = red(0.1);
  params.mode = GENERATE("add", "blend");
  const auto images = noisy_images(), before = images.clone();
  const Sig attack(params);
  const auto waved = attack.apply_trigger(images, some_draws(4));
  CHECK(images.equal(before));
  CHECK(waved.sizes() == images.sizes());
  CHECK(waved.scalar_type() == torch::kUInt8);
  CHECK_FALSE(waved.equal(images));
  const std::vector<Draw> others(4, {.value = 99, .test = true});
  CHECK(attack.apply_trigger(images, others).equal(waved));
  CHECK(Sig(params).apply_trigger(images.slice(0, 3), {&others[3], 1})[0].equal(waved[3]));
}

}  // namespace roclip::sig_test
