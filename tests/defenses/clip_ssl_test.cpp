#include "clip_ssl.h"

#include <cmath>

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::clip_ssl_test {

namespace {

struct Surroundings {
  FakeClip model{{{"east", {1, 0, 0}}, {"north", {0, 1, 0}}}};
  ToySurroundings toy{model, {"east", "north"}};
};

struct Values {
  double across, other_image, other_caption;  ///< CLIP loss; cosine of the two images, of the two captions
};

Values of(FakeClip& model, const Batch& batch) {
  const auto z_img = model.encode_image(batch.pixels), z_txt = model.encode_text(batch.tokens);
  return {clip_loss(z_img, z_txt, model.scale).item<double>(), z_img[0].dot(z_img[1]).item<double>(),
          z_txt[0].dot(z_txt[1]).item<double>()};
}

double step(const ClipSslDefense::Params& params, Surroundings& s) {
  return ClipSslDefense(params).step(two_pairs(s.model), s.toy.context).item<double>();
}

}  // namespace

TEST_CASE("clip_ssl without self-supervision is plain CLIP to the bit and draws nothing", "[defense][clip_ssl]") {
  Surroundings s;
  auto params = without_augmentation<ClipSslDefense>();
  params.image_weight = params.text_weight = 0;
  CHECK(step(params, s) == of(s.model, two_pairs(s.model)).across);
  CHECK(s.toy.augmentation_rng.state() == Rng(2).state());
}

TEST_CASE("clip_ssl adds a cross-entropy inside of each modality, each with its weight", "[defense][clip_ssl]") {
  Surroundings s;
  const auto values = of(s.model, two_pairs(s.model));
  // A view that equals its image: -log(e^10 / (e^10 + e^(10 cos))), the same in both rows.
  const auto inside = [](double cosine, double scale) { return std::log1p(std::exp(scale * (cosine - 1))); };
  auto params = without_augmentation<ClipSslDefense>();
  CHECK(step(params, s) ==
        Approx(values.across + 0.5 * inside(values.other_image, 10) + 0.5 * inside(values.other_caption, 10))
            .epsilon(1e-4));
  params.clip_weight = 0;
  params.image_weight = 3;
  params.text_weight = 0;
  CHECK(step(params, s) == Approx(3 * inside(values.other_image, 10)).epsilon(1e-4));
  params.image_weight = 0;
  params.text_weight = 2;
  CHECK(step(params, s) == Approx(2 * inside(values.other_caption, 10)).epsilon(1e-4));
  params.temperature = 0.5;
  CHECK(step(params, s) == Approx(2 * inside(values.other_caption, 2)).epsilon(1e-4));
}

TEST_CASE("clip_ssl with two views compares them by SimCLR's loss, and not the image", "[defense][clip_ssl]") {
  Surroundings s;
  const auto values = of(s.model, two_pairs(s.model));
  auto params = without_augmentation<ClipSslDefense>();
  params.views = "two";
  params.clip_weight = 0;
  params.image_weight = 1;
  params.text_weight = 0;
  // Each of four views: the other view of its image at cosine 1, twice the other image.
  CHECK(step(params, s) == Approx(std::log1p(2 * std::exp(10 * (values.other_image - 1)))).epsilon(1e-4));
}

TEST_CASE("SimCLR's loss of two pairs of views is the value worked out by hand", "[defense][clip_ssl]") {
  const auto a = torch::tensor({{1.0F, 0.0F}, {0.0F, 1.0F}}), b = torch::tensor({{0.6F, 0.8F}, {0.8F, 0.6F}});
  // Cosines: a1 a2 0, a1 b1 .6, a1 b2 .8, a2 b1 .8, a2 b2 .6, b1 b2 .96. Scale 5. By symmetry two kinds of rows.
  const double of_a = std::log(std::exp(5 * 0.6) + std::exp(5 * 0.8) + std::exp(0)) - 5 * 0.6;
  const double of_b = std::log(std::exp(5 * 0.6) + std::exp(5 * 0.8) + std::exp(5 * 0.96)) - 5 * 0.6;
  CHECK(nt_xent(a, b, torch::tensor(5.0F)).item<double>() == Approx((of_a + of_b) / 2).epsilon(1e-5));
}

TEST_CASE("clip_ssl's recipe slip sets what its authors' code has", "[defense][clip_ssl]") {
  const auto params = read_params<ClipSslDefense::Params>(Json{{"recipe", "slip"}}, "here");
  CHECK(params.clip_weight == 1);
  CHECK(params.image_weight == 1);
  CHECK(params.text_weight == 0);
  CHECK(params.views == "two");
  CHECK(params.temperature == 0.1);
}

TEST_CASE("clip_ssl's views are drawn anew each time, from the augmentation's stream, and train both encoders",
          "[defense][clip_ssl]") {
  for (const std::string views : {"one", "two"}) {
    Surroundings s;
    s.model.image_weight.requires_grad_();
    s.model.word_weight.requires_grad_();
    s.toy.vocabulary = {"north"};
    ClipSslDefense::Params params;
    params.views = views;
    params.clip_weight = 0;
    ClipSslDefense defense(params);
    const auto first = defense.step(two_pairs(s.model), s.toy.context);
    CHECK(first.item<double>() != defense.step(two_pairs(s.model), s.toy.context).item<double>());
    first.backward();
    CHECK(s.model.image_weight.grad().abs().sum().item<double>() > 0);
    CHECK(s.model.word_weight.grad().abs().sum().item<double>() > 0);
    CHECK(s.toy.rng.state() == Rng(1).state());
    CHECK(s.toy.augmentation_rng.state() != Rng(2).state());
  }
}

}  // namespace roclip::clip_ssl_test
