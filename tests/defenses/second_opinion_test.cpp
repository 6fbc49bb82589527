#include "second_opinion.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::second_opinion_test {

namespace {

FakeClip axes() { return FakeClip({{"east", {1, 0}}, {"north", {0, 1}}}); }

SecondOpinion::Params from_the_start(double believed_share) {
  SecondOpinion::Params params;
  params.pool_fraction = 1;
  params.plain_share = 0;
  params.believed_share = believed_share;
  return params;
}

Batch batch_of(std::int64_t pairs) {
  return {.indices = {}, .pixels = {}, .captions = {}, .tokens = torch::zeros({pairs, 1}, torch::kLong)};
}

/// The loss written out, an image at a time.
torch::Tensor slow_loss(const torch::Tensor& z_img, const torch::Tensor& z_txt, const torch::Tensor& pool, double share,
                        bool nearest_otherwise) {
  std::vector<torch::Tensor> images, targets;
  for (std::int64_t i = 0; i < z_img.size(0); ++i) {
    std::int64_t nearer = 0, best = 0;
    for (std::int64_t row = 0; row < pool.size(0); ++row) {
      const auto similarity = z_img[i].dot(pool[row]).item<double>();
      nearer += similarity > z_img[i].dot(z_txt[i]).item<double>();
      if (similarity > z_img[i].dot(pool[best]).item<double>()) best = row;
    }
    const bool believed = static_cast<double>(nearer) <= share * static_cast<double>(pool.size(0));
    images.push_back(believed || nearest_otherwise ? z_img[i] : z_img[i].detach());
    targets.push_back(believed || !nearest_otherwise ? z_txt[i] : pool[best]);
  }
  const auto scale = torch::tensor(10.0F);
  return (clip_loss(torch::stack(images), torch::stack(targets), scale) + clip_loss(z_img.detach(), z_txt, scale)) / 2;
}

struct Gradients {
  torch::Tensor loss, image, text;
};

template <class Loss>
Gradients gradients_of(const torch::Tensor& z_img, const torch::Tensor& z_txt, const Loss& loss) {
  const auto image = z_img.clone().requires_grad_(), text = z_txt.clone().requires_grad_();
  const auto value = loss(image, text);
  value.backward();
  return {value.detach(), image.grad(), text.grad()};
}

}  // namespace

TEST_CASE("loss and gradients of second_opinion agree with a slow reference", "[second_opinion]") {
  for (const std::string otherwise : {"nearest", "nothing"}) {
    for (const double share : {0.01, 0.3, 1.0}) {
      torch::manual_seed(3);
      auto model = axes();
      ToySurroundings toy(model, std::vector<std::string>(20, "east"));
      auto params = from_the_start(share);
      params.otherwise = otherwise;
      SecondOpinion defense(params);
      for (int step = 0; step < 3; ++step) {  // the second finds the captions of the first in the pool
        const auto z_img = unit_rows(torch::randn({16, 2})), z_txt = unit_rows(torch::randn({16, 2}));
        const auto pool =
            step == 0 ? torch::tensor({1.0F, 0.0F}).expand({20, 2}) : defense.pool().all_embeddings().clone();
        const auto ours = gradients_of(z_img, z_txt, [&](const auto& image, const auto& text) {
          return defense.loss(batch_of(16), image, text, toy.context);
        });
        const auto expected = gradients_of(z_img, z_txt, [&](const auto& image, const auto& text) {
          return slow_loss(image, text, pool, share, otherwise == "nearest");
        });
        CHECK(torch::allclose(ours.loss, expected.loss, 1e-4));
        CHECK(torch::allclose(ours.image, expected.image, 1e-4, 1e-6));
        CHECK(torch::allclose(ours.text, expected.text, 1e-4, 1e-6));
      }
    }
  }
}

TEST_CASE("who believes everything learns as augmented CLIP does", "[second_opinion]") {
  torch::manual_seed(4);
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  auto params = from_the_start(1);
  params.text_weight = 0;
  SecondOpinion defense(params);
  const auto z_img = unit_rows(torch::randn({4, 2})), z_txt = unit_rows(torch::randn({4, 2}));
  CHECK(torch::allclose(defense.loss(batch_of(4), z_img, z_txt, toy.context),
                        clip_loss(z_img, z_txt, model.logit_scale())));
}

TEST_CASE("no caption is doubted in the plain share of training", "[second_opinion]") {
  torch::manual_seed(5);
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  auto params = from_the_start(1e-6);
  params.plain_share = 0.25;
  SecondOpinion defense(params);
  const auto z_img = unit_rows(torch::randn({4, 2})), z_txt = unit_rows(torch::randn({4, 2}));
  const auto plain = clip_loss(z_img, z_txt, model.logit_scale());
  toy.context.progress = 0.24;
  CHECK(torch::equal(defense.loss(batch_of(4), z_img, z_txt, toy.context), plain));
  CHECK(defense.pool().size() == 0);
  toy.context.progress = 0.25;
  CHECK_FALSE(torch::allclose(defense.loss(batch_of(4), z_img, z_txt, toy.context), plain));
  CHECK(defense.pool().size() == 2);
}

TEST_CASE("a second_opinion loaded from its saved state has the same pool", "[second_opinion]") {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north", "east north"});
  SecondOpinion defense(from_the_start(0.1)), loaded(from_the_start(0.1));
  torch::manual_seed(6);
  defense.loss(batch_of(2), unit_rows(torch::randn({2, 2})), unit_rows(torch::randn({2, 2})), toy.context);
  copy_state(defense, loaded);
  CHECK(torch::equal(loaded.pool().all_embeddings(), defense.pool().all_embeddings()));
  CHECK(loaded.pool().cursor() == 2);
}

}  // namespace roclip::second_opinion_test
