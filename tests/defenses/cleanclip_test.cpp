#include "cleanclip.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::cleanclip_test {

namespace {

FakeClip axes() { return FakeClip({{"east", {1, 0, 0}}, {"north", {0, 1, 0}}}); }

}  // namespace

TEST_CASE("cleanclip trains as plain CLIP first, then fine-tunes what was trained", "[defense][cleanclip]") {
  const Stage training{.epochs = 3, .batch_size = 8, .learning_rate = 0.5};
  CleanClipDefense::Params params;
  params.epochs = 7;
  params.learning_rate = 0.25;
  const auto stages = CleanClipDefense(params).stages(training);
  REQUIRE(stages.size() == 2);
  Stage plain = training;
  plain.plain = true;
  CHECK(stages[0] == plain);
  CHECK(stages[1].epochs == 7);
  CHECK(stages[1].batch_size == 8);  // as in training, unless told otherwise
  CHECK(stages[1].learning_rate == 0.25);
  CHECK(stages[1].weights == Stage::Weights::kKeep);
  CHECK_FALSE(stages[1].plain);
  params.batch_size = 5;
  CHECK(CleanClipDefense(params).stages(training)[1].batch_size == 5);
  CHECK(CleanClipDefense(params).capability() == Capability::kCleanSubset);
}

TEST_CASE("an epoch of cleanclip is the clean subset once, in another order each time", "[defense][cleanclip]") {
  auto model = axes();
  ToySurroundings toy(model, std::vector<std::string>(50, "east"));
  for (std::int64_t i = 0; i < 20; ++i) toy.clean_subset.push_back(2 * i + 1);
  CleanClipDefense defense({});
  const auto first = defense.choose_samples(toy.context), second = defense.choose_samples(toy.context);
  CHECK(torch::equal(std::get<0>(first.sort()), torch::tensor(toy.clean_subset)));
  CHECK_FALSE(torch::equal(first, second));
}

TEST_CASE("cleanclip says so when the clean subset is smaller than a batch", "[defense][cleanclip]") {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north", "east"});
  toy.clean_subset = {1};
  CleanClipDefense defense({});
  CHECK_THROWS_WITH(defense.choose_samples(toy.context), Catch::Contains("at least a batch of 2 pairs, got 1"));
}

TEST_CASE("cleanclip's loss is CLIP's and the mean of one inside of each modality, weighted", "[defense][cleanclip]") {
  auto model = axes();
  ToySurroundings toy(model, {"east", "north"});
  const auto batch = two_pairs(model);
  const auto z_img = model.encode_image(batch.pixels), z_txt = model.encode_text(batch.tokens);
  const auto across = clip_loss(z_img, z_txt, model.scale).item<double>();
  // Cross-entropy of a view among views that equal the batch, written out for two rows.
  const auto inside = [&](const torch::Tensor& z) {
    const double other = (z[0] * z[1]).sum().item<double>();
    return std::log(1 + std::exp(10 * (other - 1)));
  };
  auto params = without_augmentation<CleanClipDefense>();
  params.clip_weight = 0.5;
  params.self_supervision_weight = 3;
  CHECK(CleanClipDefense(params).step(batch, toy.context).item<double>() ==
        Approx(0.5 * across + 3 * (inside(z_img) + inside(z_txt)) / 2).epsilon(1e-4));
  params.self_supervision_weight = 0;
  CHECK(CleanClipDefense(params).step(batch, toy.context).item<double>() == Approx(0.5 * across).epsilon(1e-5));
}

TEST_CASE("cleanclip's self-supervision compares images and captions with views of themselves",
          "[defense][cleanclip]") {
  auto model = axes();
  model.image_weight.requires_grad_();
  model.word_weight.requires_grad_();
  ToySurroundings toy(model, {"east", "north"});
  toy.vocabulary = {"north"};
  CleanClipDefense::Params params;
  params.clip_weight = 0;
  CleanClipDefense defense(params);
  const auto first = defense.step(two_pairs(model), toy.context), second = defense.step(two_pairs(model), toy.context);
  CHECK(first.item<double>() != second.item<double>());  // other views
  first.backward();
  CHECK(model.image_weight.grad().abs().sum().item<double>() > 0);
  CHECK(model.word_weight.grad().abs().sum().item<double>() > 0);
  CHECK(toy.rng.state() == Rng(1).state());  // views are drawn from the augmentation's stream alone
  CHECK(toy.augmentation_rng.state() != Rng(2).state());
}

}  // namespace roclip::cleanclip_test
