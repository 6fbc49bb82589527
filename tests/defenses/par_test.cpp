#include "par.h"

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::par_test {

namespace {

/// Four pairs, two of them clean. The images are black, so that the poisoned model has them at 0.
struct Surroundings {
  Surroundings() { toy.clean_subset = {1, 3}; }

  FakeClip model{{{"east", {1, 0, 0}}, {"north", {0, 1, 0}}}};
  ToySurroundings toy{model, {"east north", "east", "north north east", "north"}};
};

/// The two clean pairs, the second one first.
Batch reversed() {
  return {.indices = torch::tensor({3, 1}, torch::kLong), .pixels = {}, .captions = {}, .tokens = {}};
}

torch::Tensor rows(const std::vector<float>& values) { return torch::tensor(values).view({2, 3}); }

ParDefense::Params only_noise(double probability) {
  ParDefense::Params params;
  params.noise_probability = probability;
  params.erasing_probability = 0;
  return params;
}

ParDefense::Params only_erasing(double probability, double area) {
  auto params = only_noise(0);
  params.erasing_probability = probability;
  params.erasing_min_area = params.erasing_max_area = area;
  return params;
}

}  // namespace

TEST_CASE("par trains as plain CLIP first, then perturbs what was trained", "[defense][par]") {
  const Stage training{.epochs = 3, .batch_size = 8, .learning_rate = 0.5};
  ParDefense::Params params;
  params.epochs = 7;
  params.learning_rate = 0.25;
  params.warmup_share = 0.5;
  const auto stages = ParDefense(params).stages(training);
  REQUIRE(stages.size() == 2);
  Stage plain = training;
  plain.plain = true;
  CHECK(stages[0] == plain);
  CHECK(stages[1] == Stage{.name = "par", .epochs = 7, .batch_size = 8, .learning_rate = 0.25, .warmup_share = 0.5});
  params.batch_size = 5;
  CHECK(ParDefense(params).stages(training)[1].batch_size == 5);
  CHECK(ParDefense(params).capability() == Capability::kCleanSubset);
}

TEST_CASE("an epoch of par is the clean subset once, in another order each time", "[defense][par]") {
  FakeClip model({{"east", {1, 0, 0}}});
  ToySurroundings toy(model, std::vector<std::string>(50, "east"));
  for (std::int64_t i = 0; i < 20; ++i) toy.clean_subset.push_back(2 * i + 1);
  ParDefense defense({});
  const auto first = defense.choose_samples(toy.context), second = defense.choose_samples(toy.context);
  CHECK(torch::equal(std::get<0>(first.sort()), torch::tensor(toy.clean_subset)));
  CHECK_FALSE(torch::equal(first, second));
}

TEST_CASE("par's loss is CLIP's less half the squared distances to the poisoned model", "[defense][par]") {
  Surroundings surroundings;
  ParDefense defense({});
  defense.before_stage(surroundings.toy.context);
  CHECK(surroundings.model.training);
  // Images at distance 1 from 0. Captions: north is now at (0.6, 0.8, 0), where it was (0, 1, 0): 0.36 + 0.04 = 0.4;
  // east is where it was. The mean is 0.2.
  const auto z_img = rows({0, 0, 1, 1, 0, 0}), z_txt = rows({0.6F, 0.8F, 0, 1, 0, 0});
  const auto clip = clip_loss(z_img, z_txt, surroundings.model.scale).item<double>();
  CHECK(defense.loss(reversed(), z_img, z_txt, surroundings.toy.context).item<double>() ==
        Approx(clip - 0.5 * (1 + 0.2)).epsilon(1e-5));
  ParDefense::Params params;
  params.push_weight = 3;
  ParDefense heavy(params);
  heavy.before_stage(surroundings.toy.context);
  CHECK(heavy.loss(reversed(), z_img, z_txt, surroundings.toy.context).item<double>() ==
        Approx(clip - 3 * (1 + 0.2)).epsilon(1e-5));
}

TEST_CASE("par pushes no further than tau, each modality for itself", "[defense][par]") {
  Surroundings surroundings;
  const auto z_img = rows({0, 0, 1, 1, 0, 0});
  // Both captions are opposite to where they were: squared distance 4.
  const auto z_txt = rows({0, -1, 0, -1, 0, 0}).requires_grad_();
  const auto clip = clip_loss(z_img, z_txt, surroundings.model.scale).item<double>();
  const auto loss = [&](double tau) {
    ParDefense::Params params;
    params.tau = tau;
    ParDefense defense(params);
    defense.before_stage(surroundings.toy.context);
    return defense.loss(reversed(), z_img, z_txt, surroundings.toy.context);
  };
  CHECK(loss(2.15).item<double>() == Approx(clip - 0.5 * 1).epsilon(1e-5));
  CHECK(loss(4).item<double>() == Approx(clip - 0.5 * (1 + 4)).epsilon(1e-5));
  CHECK(loss(0.9).item<double>() == Approx(clip).epsilon(1e-5));
  loss(2.15).backward();
  const auto beyond = z_txt.grad().clone();
  z_txt.mutable_grad().reset();
  clip_loss(z_img, z_txt, surroundings.model.scale).backward();
  CHECK(torch::allclose(beyond, z_txt.grad()));
}

TEST_CASE("what par pushes away from does not move with the model", "[defense][par]") {
  Surroundings surroundings;
  ParDefense defense({});
  defense.before_stage(surroundings.toy.context);
  const auto z_img = rows({0, 0, 1, 1, 0, 0}), z_txt = rows({0, 1, 0, 1, 0, 0});
  const auto before = defense.loss(reversed(), z_img, z_txt, surroundings.toy.context).item<double>();
  surroundings.model.word_weight.mul_(-1);
  CHECK(defense.loss(reversed(), z_img, z_txt, surroundings.toy.context).item<double>() == before);
}

TEST_CASE("par adds noise to a share of the images and keeps their range", "[defense][par]") {
  Surroundings surroundings;
  const auto pixels = torch::full({400, 3, 4, 4}, 0.5);
  ParDefense none(only_noise(0)), half(only_noise(0.5)), all(only_noise(1));
  auto& context = surroundings.toy.context;
  CHECK(none.augment_images(pixels, context).equal(pixels));
  const auto noisy = all.augment_images(pixels, context);
  CHECK((noisy - pixels).mean().item<double>() == Approx(0).margin(0.01));
  CHECK((noisy - pixels).std().item<double>() == Approx(0.2).epsilon(0.05));
  CHECK(noisy.min().item<double>() >= 0);
  CHECK(noisy.max().item<double>() <= 1);
  const auto some = (half.augment_images(pixels, context) != pixels).flatten(1).any(1).sum().item<std::int64_t>();
  CHECK(some > 160);
  CHECK(some < 240);
  CHECK(pixels.eq(0.5).all().item<bool>());  // the argument stays as it is
  CHECK(surroundings.toy.rng.state() == Rng(1).state());
  CHECK(surroundings.toy.augmentation_rng.state() != Rng(2).state());
}

TEST_CASE("par erases a square of the area that it was told, in changing places", "[defense][par]") {
  Surroundings surroundings;
  const auto pixels = torch::zeros({40, 3, 32, 32});
  ParDefense defense(only_erasing(1, 0.01));  // 10.24 of 1024 px: 3 px a side
  const auto erased = defense.augment_images(pixels, surroundings.toy.context).eq(0.5);
  CHECK(erased.sum({1, 2, 3}).eq(3 * 9).all().item<bool>());
  CHECK(erased.any(1).any(1).sum(1).eq(3).all().item<bool>());  // three columns
  CHECK(erased.any(1).any(2).sum(1).eq(3).all().item<bool>());  // three rows
  CHECK_FALSE(erased[0].equal(erased[1]));
  ParDefense whole(only_erasing(1, 1)), tiny(only_erasing(1, 0));
  CHECK(whole.augment_images(pixels, surroundings.toy.context).eq(0.5).all().item<bool>());
  CHECK(tiny.augment_images(pixels, surroundings.toy.context).eq(0.5).sum({1, 2, 3}).eq(3).all().item<bool>());
}

TEST_CASE("par says so when the clean subset is smaller than a batch, or areas are the wrong way round",
          "[defense][par]") {
  Surroundings surroundings;
  surroundings.toy.clean_subset = {1};
  ParDefense defense({});
  CHECK_THROWS_WITH(defense.before_stage(surroundings.toy.context),
                    Catch::Contains("at least a batch of 2 pairs, got 1"));
  ParDefense::Params params;
  params.erasing_min_area = 0.5;
  CHECK_THROWS_WITH(ParDefense(params), Catch::Contains("par/erasing_min_area: expected at most erasing_max_area"));
}

TEST_CASE("par saves where the poisoned model had the clean pairs", "[defense][par]") {
  Surroundings surroundings;
  ParDefense saved({}), loaded({}), empty({}), fresh({});
  saved.before_stage(surroundings.toy.context);
  surroundings.model.word_weight.mul_(-1);  // trained on
  copy_state(saved, loaded);
  const auto z_img = rows({0, 0, 1, 1, 0, 0}), z_txt = rows({0.6F, 0.8F, 0, 1, 0, 0});
  CHECK(loaded.loss(reversed(), z_img, z_txt, surroundings.toy.context)
            .equal(saved.loss(reversed(), z_img, z_txt, surroundings.toy.context)));
  CHECK_NOTHROW(copy_state(empty, fresh));
}

}  // namespace roclip::par_test
