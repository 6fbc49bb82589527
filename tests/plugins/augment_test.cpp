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

TEST_CASE("image by image on the CPU and as a batch for a GPU, augmentation is the same up to rounding", "[augment]") {
  ImageAugmentation augmentation;
  augmentation.blur_probability = 0.5;
  augmentation.hue = 0.1;
  torch::manual_seed(2);
  const auto pixels = torch::rand({32, 3, 12, 16});
  Rng one(7), two(7);
  auto generator = two.generator();
  CHECK(torch::allclose(augmentation.apply(pixels, one), augmentation.apply_batched(pixels, generator), 1e-4, 1e-5));
}

TEST_CASE("the blur is as wide as its sigma says, up to the widest that is allowed", "[augment]") {
  auto strength = kNothing;
  strength.blur_probability = 1;
  strength.blur_sigma_max = 1;
  auto dots = torch::zeros({200, 3, 17, 17});
  dots.select(2, 8).select(2, 8).fill_(1);
  Rng rng(1);
  const auto rows = strength.apply(dots, rng).select(1, 0).sum(1);  // [200, 17]
  const auto distance = torch::arange(17) - 8;
  const auto sigma = ((rows * distance.square()).sum(1) / rows.sum(1)).sqrt();
  CHECK(sigma.max().item<double>() > 0.9);
  CHECK(sigma.max().item<double>() < 1.05);
  ParamList list;
  strength.declare(list);
  CHECK_THROWS_AS(list.assign({{"blur_sigma_max", 3.0}}, "test"), Error);
}
