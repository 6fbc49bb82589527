#include "cyclip.h"

#include <torch/types.h>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::cyclip_test {

namespace {

FakeClip axes() { return FakeClip({{"east", {1, 0}}, {"north", {0, 1}}}); }

double loss_of(double in_modal, double cross_modal, const torch::Tensor& z_img, const torch::Tensor& z_txt) {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  return CyclipDefense({.in_modal_weight = in_modal, .cross_modal_weight = cross_modal})
      .loss({}, z_img, z_txt, toy.context)
      .item<double>();
}

// Images at (1, 0) and (0.6, 0.8); captions at (0, 1) and (0.8, 0.6).
torch::Tensor images() { return torch::tensor({{1.0F, 0.0F}, {0.6F, 0.8F}}); }
torch::Tensor captions() { return torch::tensor({{0.0F, 1.0F}, {0.8F, 0.6F}}); }
double plain() { return clip_loss(images(), captions(), torch::tensor(10.0F)).item<double>(); }

}  // namespace

TEST_CASE("cyclip without its two terms is plain CLIP to the bit", "[defense][cyclip]") {
  CHECK(loss_of(0, 0, images(), captions()) == plain());
}

TEST_CASE("cyclip's term within modalities compares similarities of images with those of captions",
          "[defense][cyclip]") {
  // Images: 0.6. Captions: 0.6. Equal, so nothing is added.
  CHECK(loss_of(1, 0, images(), captions()) == Approx(plain()).epsilon(1e-5));
  // Captions at right angles: 0. Two of four entries differ by 0.6: 2 * mean = 2 * (2 * 0.36 / 4) = 0.36.
  const auto apart = torch::tensor({{0.0F, 1.0F}, {1.0F, 0.0F}});
  const auto of_apart = clip_loss(images(), apart, torch::tensor(10.0F)).item<double>();
  CHECK(loss_of(1, 0, images(), apart) == Approx(of_apart + 0.36).epsilon(1e-5));
  CHECK(loss_of(0.25, 0, images(), apart) == Approx(of_apart + 0.09).epsilon(1e-5));
}

TEST_CASE("cyclip's term between modalities compares image i to caption j with image j to caption i",
          "[defense][cyclip]") {
  // Image 1 to caption 2: 0.8; image 2 to caption 1: 0.8. Symmetric already.
  CHECK(loss_of(0, 1, images(), captions()) == Approx(plain()).epsilon(1e-5));
  // Captions (1, 0) and (0, 1): image 1 to caption 2 is 0, image 2 to caption 1 is 0.6: 2 * (2 * 0.36 / 4) = 0.36.
  const auto turned = torch::tensor({{1.0F, 0.0F}, {0.0F, 1.0F}});
  const auto of_turned = clip_loss(images(), turned, torch::tensor(10.0F)).item<double>();
  CHECK(loss_of(0, 1, images(), turned) == Approx(of_turned + 0.36).epsilon(1e-5));
  CHECK(loss_of(0, 0.5, images(), turned) == Approx(of_turned + 0.18).epsilon(1e-5));
}

TEST_CASE("cyclip's weights are those of the authors' README, and both terms reach both encoders",
          "[defense][cyclip]") {
  const CyclipDefense::Params params;
  CHECK(params.in_modal_weight == 0.25);
  CHECK(params.cross_modal_weight == 0.25);
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  const auto turned = torch::tensor({{1.0F, 0.0F}, {0.0F, 1.0F}});
  const auto gradients = [&](double in_modal, double cross_modal) {
    const auto z_img = images().requires_grad_(), z_txt = turned.clone().requires_grad_();
    CyclipDefense({.in_modal_weight = in_modal, .cross_modal_weight = cross_modal})
        .loss({}, z_img, z_txt, toy.context)
        .backward();
    return std::make_pair(z_img.grad(), z_txt.grad());
  };
  const auto [image0, caption0] = gradients(0, 0);
  for (const auto& [in_modal, cross_modal] : {std::make_pair(1.0, 0.0), std::make_pair(0.0, 1.0)}) {
    const auto [image, caption] = gradients(in_modal, cross_modal);
    CHECK_FALSE(torch::allclose(image, image0));
    CHECK_FALSE(torch::allclose(caption, caption0));
  }
}

}  // namespace roclip::cyclip_test
