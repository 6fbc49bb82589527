#include "safeclip.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "gaussian_mixture.h"
#include "support/toy_context.h"

namespace roclip::safeclip_test {

namespace {

/// Views that are the images and captions themselves.
SafeclipDefense::Params without_augmentation() {
  SafeclipDefense::Params params;
  params.image = {
      .crop_min_area = 1, .flip_probability = 0, .jitter_probability = 0, .grey_probability = 0, .blur_probability = 0};
  params.text.probability = 0;
  return params;
}

/// Images of three colours in slightly different shades, under captions that say which; the first ones under another.
Pairs colours(std::int64_t pairs, std::int64_t wrong) {
  const std::vector<std::string> names = {"red", "green", "blue"};
  auto images = torch::zeros({pairs, 3, 4, 4}, torch::kUInt8);
  std::vector<std::string> captions;
  Rng rng(7);
  for (std::int64_t i = 0; i < pairs; ++i) {
    images[i].fill_(rng.below(60));
    images[i][i % 3].fill_(200 + rng.below(50));
    captions.push_back(names[static_cast<std::size_t>((i < wrong ? i + 1 : i) % 3)]);
  }
  return tensor_pairs(images, captions);
}

struct Surroundings {
  explicit Surroundings(Pairs of) : toy(model, std::move(of)) {
    context.stage = {.name = "mixed", .epochs = 10, .batch_size = 4};
  }
  void at(const std::string& stage, std::int64_t epoch = 1) {
    context.stage.name = stage;
    context.epoch = epoch;
  }

  FakeClip model{{{"red", {1, 0, 0}}, {"green", {0, 1, 0}}, {"blue", {0, 0, 1}}}};
  ToySurroundings toy;
  TrainContext& context = toy.context;
};

Batch batch_of(FakeClip& model, const PairSource& pairs, const std::vector<std::int64_t>& which) {
  const auto indices = torch::tensor(which);
  std::vector<std::string> captions;
  for (const auto index : which) captions.push_back(pairs.caption(index));
  return {indices, to_pixels(pairs.images(indices), model.device()), captions, model.tokenize(captions)};
}

torch::Tensor f64(const std::vector<double>& values) { return torch::tensor(values, torch::kDouble); }

}  // namespace

TEST_CASE("a mixture of two heaps far apart has their means, variances and shares", "[defense][safeclip]") {
  // Heaps of 2 and 6 values, 1 around 0 and 2 around 100.
  const auto mixture = fit_two_gaussians(f64({102, 98, -1, 102, 98, 1, 98, 102}));
  CHECK(mixture.weight[0] == Approx(0.25));
  CHECK(mixture.mean[0] == Approx(0).margin(1e-6));
  CHECK(mixture.variance[0] == Approx(1));
  CHECK(mixture.weight[1] == Approx(0.75));
  CHECK(mixture.mean[1] == Approx(100));
  CHECK(mixture.variance[1] == Approx(4));
}

TEST_CASE("the log odds of the higher component are those of its density, and never infinite", "[defense][safeclip]") {
  const GaussianMixture mixture{.weight = {0.25, 0.75}, .mean = {0, 10}, .variance = {1, 1}};
  CHECK(mixture.log_odds(5) == Approx(std::log(3)));
  CHECK(mixture.log_odds(6) == Approx(std::log(3) + (36 - 16) / 2.0));
  const GaussianMixture wide{.weight = {0.5, 0.5}, .mean = {0, 0}, .variance = {1, 4}};
  CHECK(wide.log_odds(0) == Approx(-std::log(2)));
  CHECK(std::isfinite(mixture.log_odds(1e6)));
}

TEST_CASE("a mixture of two heaps that overlap is found, and equal values are no error", "[defense][safeclip]") {
  const auto generator = at::detail::createCPUGenerator(3);
  const auto values = torch::cat({torch::randn({3000}, generator, torch::kDouble) * 0.02 + 0.1,
                                  torch::randn({7000}, generator, torch::kDouble) * 0.05 + 0.25});
  const auto mixture = fit_two_gaussians(values);
  CHECK(mixture.weight[0] == Approx(0.3).margin(0.03));
  CHECK(mixture.mean[0] == Approx(0.1).margin(0.005));
  CHECK(mixture.mean[1] == Approx(0.25).margin(0.005));
  CHECK(std::sqrt(mixture.variance[0]) == Approx(0.02).margin(0.003));
  CHECK(std::sqrt(mixture.variance[1]) == Approx(0.05).margin(0.003));
  CHECK(fit_two_gaussians(torch::full({5}, 0.3, torch::kDouble)).log_odds(0.3) == 0);
}

TEST_CASE("a bank finds the most similar row and forgets the oldest first", "[defense][safeclip]") {
  EmbeddingBank bank(torch::tensor({{1.0F, 0.0F}, {0.0F, 1.0F}, {-1.0F, 0.0F}}));
  const auto z = torch::tensor({{0.8F, 0.6F}, {0.6F, 0.8F}});
  CHECK(torch::equal(bank.nearest(z), torch::tensor({{1.0F, 0.0F}, {0.0F, 1.0F}})));
  bank.enqueue(z);
  CHECK(torch::equal(bank.rows(), torch::tensor({{0.8F, 0.6F}, {0.6F, 0.8F}, {-1.0F, 0.0F}})));
  bank.enqueue(-z);
  CHECK(torch::equal(bank.rows(), torch::tensor({{-0.6F, -0.8F}, {0.6F, 0.8F}, {-0.8F, -0.6F}})));
  CHECK(bank.cursor() == 1);
  bank.enqueue(torch::cat({z, z}));  // more than it holds: the last three
  CHECK(torch::equal(bank.rows(), torch::tensor({{0.8F, 0.6F}, {0.6F, 0.8F}, {0.6F, 0.8F}})));
}

TEST_CASE("safeclip's stages divide the epochs of training as the authors' 32", "[defense][safeclip]") {
  const auto stages_of = [](std::int64_t epochs, const SafeclipDefense::Params& params = {}) {
    return SafeclipDefense(params).stages(
        {.epochs = epochs, .batch_size = 8, .learning_rate = 5e-4, .warmup_share = 0.2});
  };
  const auto epochs_of = [&](std::int64_t epochs) {
    std::vector<std::int64_t> each;
    for (const auto& stage : stages_of(epochs)) each.push_back(stage.epochs);
    return each;
  };
  CHECK(epochs_of(32) == std::vector<std::int64_t>{5, 1, 26});
  CHECK(epochs_of(10) == std::vector<std::int64_t>{2, 1, 7});
  CHECK(epochs_of(4) == std::vector<std::int64_t>{1, 1, 2});
  CHECK(epochs_of(1) == std::vector<std::int64_t>{1, 1, 1});
  SafeclipDefense::Params params;
  params.multimodal_rate = 0.01;
  const auto stages = stages_of(32, params);
  CHECK(stages[0].name == "unimodal");
  CHECK(stages[0].learning_rate == 5e-4);
  CHECK(stages[1].name == "multimodal");
  CHECK(stages[1].learning_rate == Approx(1e-5));  // a cosine, so 5e-6 in the mean
  CHECK(stages[1].warmup_share == 0);
  CHECK(stages[2].name == "mixed");
  CHECK(stages[2].learning_rate == 5e-4);
  CHECK(stages[2].warmup_share == 0.2);
  for (const auto& stage : stages) {
    CHECK(stage.batch_size == 8);
    CHECK(stage.weights == Stage::Weights::kKeep);
    CHECK_FALSE(stage.plain);
  }
  params.unimodal_share = 0.5;
  params.multimodal_share = 0.25;
  CHECK(stages_of(8, params)[0].epochs == 4);
  CHECK(stages_of(8, params)[1].epochs == 2);
}

TEST_CASE("safeclip's recipes set what the authors' runs have", "[defense][safeclip]") {
  const auto of = [](const char* name) { return read_params<SafeclipDefense::Params>(Json{{"recipe", name}}, "here"); };
  CHECK(of("cc3m").multimodal_rate == 0.01);
  CHECK(of("cc3m").bank_fraction == Approx(0.021845));
  CHECK(of("coco").multimodal_rate == 0.1);
  CHECK(of("coco").bank_size == 2048);
}

TEST_CASE("safeclip's banks hold as many embeddings as asked for, of images and of captions", "[defense][safeclip]") {
  const auto size = [](double fraction, std::int64_t count) {
    Surroundings s(colours(30, 0));
    SafeclipDefense::Params params;
    params.bank_fraction = fraction;
    params.bank_size = count;
    SafeclipDefense defense(params);
    defense.before_stage(s.context);
    CHECK(s.model.training);
    CHECK(defense.caption_bank().rows().sizes() == defense.image_bank().rows().sizes());
    return defense.image_bank().rows().size(0);
  };
  CHECK(size(0.1, 0) == 3);
  CHECK(size(0.1, 7) == 7);
  CHECK(size(0.0001, 0) == 1);
  CHECK(size(0.5, 1000) == 30);
}

TEST_CASE("safeclip's unimodal loss is the value worked out by hand, and the batch then enters the banks",
          "[defense][safeclip]") {
  auto images = torch::zeros({2, 3, 4, 4}, torch::kUInt8);
  images[0][0].fill_(255);
  images[1][1].fill_(255);
  Surroundings s(tensor_pairs(images, {"red", "green"}));
  auto params = without_augmentation();
  params.bank_fraction = 1;  // both: red and green, in either order
  SafeclipDefense defense(params);
  s.at("unimodal");
  defense.before_stage(s.context);
  auto pixels = torch::zeros({2, 3, 4, 4});
  pixels[0][0].fill_(0.8);
  pixels[0][1].fill_(0.6);
  pixels[1][1].fill_(0.9);
  const std::vector<std::string> captions = {"red", "red green green"};
  const auto loss = defense.step({torch::arange(2), pixels, captions, s.model.tokenize(captions)}, s.context);
  // Image 1, (0.8, 0.6), is nearest to red, image 2 to green. Caption 1 is red, caption 2, (1, 2) / sqrt 5, nearest
  // green.
  const auto row = [](double own, double other) { return std::log1p(std::exp(10 * (other - own))); };
  const double of_images = (row(0.8, 0.6) + row(1, 0)) / 2;
  const double of_captions = (row(1, 0) + row(2 / std::sqrt(5), 1 / std::sqrt(5))) / 2;
  CHECK(loss.item<double>() == Approx((of_images + of_captions) / 2).epsilon(1e-4));
  CHECK(torch::allclose(defense.image_bank().rows(), torch::tensor({{0.8F, 0.6F, 0.0F}, {0.0F, 1.0F, 0.0F}})));
  CHECK(torch::allclose(defense.caption_bank().rows()[1], torch::tensor({0.4472136F, 0.8944272F, 0.0F})));
}

TEST_CASE("safeclip's unimodal loss trains both encoders through the second views only", "[defense][safeclip]") {
  Surroundings s(colours(30, 0));
  s.model.image_weight.requires_grad_();
  s.model.word_weight.requires_grad_();
  s.toy.vocabulary = {"red", "green", "blue"};
  SafeclipDefense::Params params;
  params.bank_fraction = 1;
  SafeclipDefense defense(params);
  s.at("unimodal");
  defense.before_stage(s.context);
  defense.step(batch_of(s.model, *s.toy.pairs, {0, 1, 2, 3}), s.context).backward();
  CHECK(s.model.image_weight.grad().abs().sum().item<double>() > 0);
  CHECK(s.model.word_weight.grad().abs().sum().item<double>() > 0);
  CHECK_FALSE(defense.image_bank().rows().requires_grad());
}

TEST_CASE("safeclip's multimodal loss crosses the views: first images with second captions and so on",
          "[defense][safeclip]") {
  Surroundings s(colours(30, 5));
  s.toy.vocabulary = {"red", "green", "blue"};
  auto batch = batch_of(s.model, *s.toy.pairs, {0, 1, 2, 3});
  batch.captions = {"red green red", "green blue green green", "blue red blue", "red blue red green"};
  SafeclipDefense::Params params;
  params.text.word_share = 0.5;
  SafeclipDefense defense(params);
  s.at("multimodal");
  const auto loss = defense.step(batch, s.context).item<double>();
  Rng rng(2);  // the same draws once more
  std::vector<torch::Tensor> z_img, z_txt;
  for (int view = 0; view < 2; ++view) {
    std::vector<std::string> captions;
    for (const auto& caption : batch.captions) captions.push_back(params.text.apply(caption, s.toy.vocabulary, rng));
    z_txt.push_back(s.model.encode_text(s.model.tokenize(captions)));
    z_img.push_back(s.model.encode_image(params.image.apply(batch.pixels, rng)));
  }
  const auto one = [](const torch::Tensor& a, const torch::Tensor& b) {
    return torch::cross_entropy_loss(10 * a.matmul(b.t()), torch::arange(4)).item<double>();
  };
  const double crossed = (one(z_img[0], z_txt[1]) + one(z_txt[0], z_img[1])) / 2;
  const double straight = (one(z_img[0], z_txt[0]) + one(z_txt[1], z_img[1])) / 2;
  CHECK(loss == Approx(crossed).epsilon(1e-5));
  CHECK(std::abs(crossed - straight) > 1e-3);
}

TEST_CASE("safeclip tells wrong captions by their similarity, and trains on risky batches first",
          "[defense][safeclip]") {
  Surroundings s(colours(40, 9));
  SafeclipDefense defense({});
  CHECK_FALSE(defense.suspicion());
  defense.before_epoch(s.context);
  CHECK(s.model.training);
  const auto suspicion = defense.suspicion();
  REQUIRE(suspicion);
  CHECK((suspicion->scores > *suspicion->threshold).nonzero().squeeze(1).equal(torch::arange(9)));
  const auto samples = defense.choose_samples(s.context);
  REQUIRE(samples.size(0) == 39);  // two whole batches of 9 risky pairs, then 31 safe ones
  CHECK(samples.narrow(0, 0, 8).max().item<std::int64_t>() < 9);
  CHECK(std::get<0>(samples.narrow(0, 8, 31).sort()).equal(torch::arange(9, 40)));
  CHECK_FALSE(defense.choose_samples(s.context).equal(samples));
}

TEST_CASE("safeclip's safe share grows in equal steps up to its limit", "[defense][safeclip]") {
  Surroundings s(colours(40, 9));
  SafeclipDefense defense({});
  std::vector<std::int64_t> safe;
  for (std::int64_t epoch = 1; epoch <= 6; ++epoch) {
    s.at("mixed", epoch);
    defense.before_epoch(s.context);
    const auto suspicion = defense.suspicion();
    safe.push_back((suspicion->scores <= *suspicion->threshold).sum().item<std::int64_t>());
  }
  // 31 / 40 = 0.775, then 0.026 more an epoch: 32.04, 33.08, and 0.85 of 40 is 34.
  CHECK(safe == std::vector<std::int64_t>{31, 32, 33, 34, 34, 34});
}

TEST_CASE("safeclip's certainty decides the first split, and a batch is safe in any case", "[defense][safeclip]") {
  const auto safe = [](double probability, std::int64_t batch) {
    auto images = torch::zeros({41, 3, 4, 4}, torch::kUInt8);
    for (std::int64_t i = 0; i < 41; ++i) {  // cosines from 0 to 1 to the caption, without a gap
      images[i][0].fill_(6 * i);
      images[i][1].fill_(240 - 6 * i);
    }
    Surroundings s(tensor_pairs(images, std::vector<std::string>(41, "red")));
    s.context.stage.batch_size = batch;
    SafeclipDefense::Params params;
    params.safe_probability = probability;
    SafeclipDefense defense(params);
    defense.before_epoch(s.context);
    return (defense.suspicion()->scores <= *defense.suspicion()->threshold).sum().item<std::int64_t>();
  };
  CHECK(safe(0.999, 2) < safe(0.9, 2));
  CHECK(safe(0.9, 2) < safe(0.2, 2));
  CHECK(safe(0.9, 40) == 40);
}

TEST_CASE("safeclip trains safe batches as pairs and risky ones each modality on its own", "[defense][safeclip]") {
  Surroundings s(colours(40, 9));
  SafeclipDefense defense(without_augmentation());
  s.at("unimodal");
  defense.before_stage(s.context);
  s.at("mixed");
  defense.before_epoch(s.context);
  const auto bank = defense.image_bank().rows().clone();
  const auto safe = batch_of(s.model, *s.toy.pairs, {9, 10, 11, 12}),
             risky = batch_of(s.model, *s.toy.pairs, {0, 1, 2, 3});
  const auto across =
      clip_loss(s.model.encode_image(safe.pixels), s.model.encode_text(safe.tokens), s.model.scale).item<double>();
  CHECK(defense.step(safe, s.context).item<double>() == Approx(across).epsilon(1e-5));
  CHECK(defense.image_bank().rows().equal(bank));
  defense.step(risky, s.context);
  CHECK_FALSE(defense.image_bank().rows().equal(bank));
}

TEST_CASE("safeclip does not choose among pairs before it has split them", "[defense][safeclip]") {
  Surroundings s(colours(40, 9));
  SafeclipDefense defense({});
  for (const std::string stage : {"unimodal", "multimodal"}) {
    s.at(stage);
    defense.before_epoch(s.context);
    CHECK_FALSE(defense.suspicion());
    CHECK(std::get<0>(defense.choose_samples(s.context).sort()).equal(torch::arange(40)));
  }
}

TEST_CASE("safeclip loaded from its saved state splits and trains as it would have", "[defense][safeclip]") {
  Surroundings s(colours(40, 9));
  SafeclipDefense saved(without_augmentation()), loaded(without_augmentation());
  s.at("unimodal");
  saved.before_stage(s.context);
  saved.step(batch_of(s.model, *s.toy.pairs, {0, 5, 7, 9}), s.context);
  SafeclipDefense early(without_augmentation());
  copy_state(saved, early);
  CHECK_FALSE(early.suspicion());
  s.at("mixed");
  saved.before_epoch(s.context);
  copy_state(saved, loaded);
  CHECK(loaded.suspicion()->scores.equal(saved.suspicion()->scores));
  CHECK(loaded.suspicion()->threshold == saved.suspicion()->threshold);
  const auto risky = batch_of(s.model, *s.toy.pairs, {0, 1, 2, 3});
  CHECK(loaded.step(risky, s.context).item<double>() == saved.step(risky, s.context).item<double>());
  CHECK(loaded.image_bank().rows().equal(saved.image_bank().rows()));
  CHECK(loaded.caption_bank().rows().equal(saved.caption_bank().rows()));
  CHECK(loaded.image_bank().cursor() == saved.image_bank().cursor());
  s.at("mixed", 2);
  saved.before_epoch(s.context);
  loaded.before_epoch(s.context);
  CHECK(loaded.suspicion()->threshold == saved.suspicion()->threshold);
  SafeclipDefense empty({}), fresh({});
  copy_state(empty, fresh);
  CHECK(fresh.image_bank().empty());
}

}  // namespace roclip::safeclip_test
