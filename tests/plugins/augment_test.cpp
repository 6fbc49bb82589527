#include <set>

#include <catch2/catch.hpp>

#include "roclip/augment.h"
#include "roclip/dataset.h"
#include "roclip/error.h"
#include "roclip/params.h"

using namespace roclip;

namespace {

const ImageAugmentation kNothing{.crop_min_area = 1,
                                 .flip_probability = 0,
                                 .jitter = 0,
                                 .hue = 0,
                                 .jitter_probability = 0,
                                 .grey_probability = 0,
                                 .blur_probability = 0};

torch::Tensor batch() {
  torch::manual_seed(1);
  return torch::rand({6, 3, 16, 16});
}

}  // namespace

TEST_CASE("augmentation with everything off leaves images as they are", "[augment]") {
  Rng rng(1);
  CHECK(torch::allclose(kNothing.apply(batch(), rng), batch(), 1e-4, 1e-5));
}

TEST_CASE("augmentation is the same for the same stream and fresh at the next call", "[augment]") {
  Rng one(5), two(5);
  const ImageAugmentation augmentation;
  const auto first = augmentation.apply(batch(), one);
  CHECK(torch::equal(first, augmentation.apply(batch(), two)));
  CHECK_FALSE(torch::equal(first, augmentation.apply(batch(), one)));
}

TEST_CASE("augmented images keep shape and range", "[augment]") {
  Rng rng(2);
  const auto out =
      ImageAugmentation{.crop_min_area = 0.1, .jitter = 1, .hue = 0.5, .blur_probability = 1}.apply(batch(), rng);
  CHECK(out.sizes() == batch().sizes());
  CHECK(out.min().item<float>() >= 0);
  CHECK(out.max().item<float>() <= 1);
}

TEST_CASE("a flip mirrors every row", "[augment]") {
  auto augmentation = kNothing;
  augmentation.flip_probability = 1;
  Rng rng(3);
  CHECK(torch::allclose(augmentation.apply(batch(), rng), batch().flip({3}), 1e-4, 1e-5));
}

TEST_CASE("grey images have equal channels, of the luminance of ITU-R 601", "[augment]") {
  auto augmentation = kNothing;
  augmentation.grey_probability = 1;
  Rng rng(4);
  const auto out = augmentation.apply(batch(), rng);
  const auto luminance = batch().select(1, 0) * 0.299 + batch().select(1, 1) * 0.587 + batch().select(1, 2) * 0.114;
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    CHECK(torch::allclose(out.select(1, channel), luminance, 1e-4, 1e-5));
  }
}

TEST_CASE("blur keeps flat images and smooths others", "[augment]") {
  auto augmentation = kNothing;
  augmentation.blur_probability = 1;
  Rng rng(6);
  const auto flat = torch::full({2, 3, 16, 16}, 0.25);
  CHECK(torch::allclose(augmentation.apply(flat, rng), flat, 1e-4, 1e-5));
  CHECK(augmentation.apply(batch(), rng).var().item<double>() < batch().var().item<double>());
}

TEST_CASE("a blur spreads a point as far as its sigma says", "[augment]") {
  for (const double sigma : {0.1, 0.7, 2.0, 10.0}) {
    auto augmentation = kNothing;
    augmentation.blur_probability = 1;
    augmentation.blur_sigma_max = sigma;
    Rng rng(6);
    const std::int64_t images = 8, size = 129;
    auto points = torch::zeros({images, 3, size, size});
    points.select(3, size / 2).select(2, size / 2).fill_(1);
    const auto rows =
        augmentation.apply(points, rng).select(1, 0).sum(1);  // [B, W]: how far columns are from the point
    const auto variance = (rows * (torch::arange(size) - size / 2).square()).sum(1) / rows.sum(1);
    // sigma is uniform in [0.1, sigma]; of eight draws the largest is in the upper half
    const double widest = variance.max().sqrt().item<double>();
    INFO(sigma);
    CHECK(widest <= 1.01 * sigma);
    if (sigma > 0.5) CHECK(widest > 0.5 * sigma);
  }
}

TEST_CASE("text augmentation changes one word of a short caption and never empties it", "[augment]") {
  const TextAugmentation augmentation{.probability = 1};
  const std::vector<std::string> vocabulary = {"zebra"};
  Rng rng(7);
  std::set<std::size_t> lengths;
  for (int i = 0; i < 200; ++i) {
    const auto text = words(augmentation.apply("a red apple", vocabulary, rng));
    lengths.insert(text.size());
    CHECK(std::ranges::count(text, "zebra") <= 1);
  }
  CHECK(lengths == std::set<std::size_t>{2, 3, 4});  // delete, replace or swap, insert
  CHECK_FALSE(augmentation.apply("apple", vocabulary, rng).empty());
  CHECK(augmentation.apply("", vocabulary, rng).empty());
}
