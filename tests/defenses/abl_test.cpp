#include "abl.h"

#include <cmath>

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::abl_test {

namespace {

/// Pairs of three colours, of which every tenth has exactly the colour that its caption says.
Pairs colours(std::int64_t pairs) {
  const std::vector<std::string> names = {"red", "green", "blue"};
  auto images = torch::zeros({pairs, 3, 4, 4}, torch::kUInt8);
  std::vector<std::string> captions;
  Rng rng(7);
  for (std::int64_t i = 0; i < pairs; ++i) {
    if (i % 10 != 0) images[i].fill_(60 + rng.below(60));
    images[i][i % 3].fill_(200 + rng.below(50));
    captions.push_back(names[static_cast<std::size_t>(i % 3)]);
  }
  return tensor_pairs(images, captions);
}

struct Surroundings {
  explicit Surroundings(Pairs of) : toy(model, std::move(of)) {
    context.stage = {.name = "train", .epochs = 10, .batch_size = 4};
  }
  void at(const std::string& stage) { context.stage.name = stage; }

  FakeClip model{{{"red", {1, 0, 0}}, {"green", {0, 1, 0}}, {"blue", {0, 0, 1}}}};
  ToySurroundings toy;
  TrainContext& context = toy.context;
};

AblDefense::Params by_cosine() {
  AblDefense::Params params;
  params.isolation_loss = "cosine";
  params.isolated_share = 0.1;
  return params;
}

// Images at (1, 0) and (0.6, 0.8); captions at (0.8, 0.6) and (0, 1).
torch::Tensor images() { return torch::tensor({{1.0F, 0.0F}, {0.6F, 0.8F}}); }
torch::Tensor captions() { return torch::tensor({{0.8F, 0.6F}, {0.0F, 1.0F}}); }

}  // namespace

TEST_CASE("abl's stages isolate, train and unlearn", "[defense][abl]") {
  AblDefense::Params params;
  params.isolation_epochs_share = 0.25;
  params.unlearning_epochs = 20;
  params.unlearning_rate = 0.005;
  const auto stages =
      AblDefense(params).stages({.epochs = 80, .batch_size = 8, .learning_rate = 0.1, .warmup_share = 0.2});
  REQUIRE(stages.size() == 3);
  CHECK(stages[0].name == "isolate");
  CHECK(stages[0].epochs == 20);
  CHECK(stages[0].learning_rate == 0.1);
  CHECK(stages[1].name == "train");
  CHECK(stages[1].epochs == 60);
  CHECK(stages[1].learning_rate == 0.1);
  CHECK(stages[2].name == "unlearn");
  CHECK(stages[2].epochs == 20);
  CHECK(stages[2].learning_rate == Approx(5e-4));
  CHECK(stages[2].warmup_share == 0);
  for (const auto& stage : stages) {
    CHECK(stage.batch_size == 8);
    CHECK(stage.weights == Stage::Weights::kKeep);
    CHECK_FALSE(stage.plain);
  }
  const auto short_ones = AblDefense(params).stages({.epochs = 1});
  CHECK(short_ones[0].epochs == 1);
  CHECK(short_ones[1].epochs == 1);
}

TEST_CASE("abl's recipe isolates after a quarter of the epochs, as its authors do", "[defense][abl]") {
  const auto params = read_params<AblDefense::Params>(Json{{"recipe", "abl"}}, "here");
  CHECK(AblDefense(params).stages({.epochs = 80})[0].epochs == 20);
  CHECK(AblDefense({}).stages({.epochs = 80})[0].epochs == 8);
}

TEST_CASE("abl's loss of a pair is its part of the CLIP loss, worked out by hand", "[defense][abl]") {
  // Cosines of image i and caption j: 0.8, 0; 0.96, 0.8. Scale 5.
  const auto losses = contrastive_losses(images(), captions(), 5);
  const auto part = [](double own, double other) { return std::log1p(std::exp(5 * (other - own))); };
  CHECK(losses[0].item<double>() == Approx((part(0.8, 0) + part(0.8, 0.96)) / 2).epsilon(1e-5));
  CHECK(losses[1].item<double>() == Approx((part(0.8, 0.96) + part(0.8, 0)) / 2).epsilon(1e-5));
  CHECK(losses.mean().item<double>() ==
        Approx(clip_loss(images(), captions(), torch::tensor(5.0F)).item<double>()).epsilon(1e-5));
}

TEST_CASE("abl isolates the pairs of least loss by either loss, trains on the others, and unlearns them",
          "[defense][abl]") {
  for (const std::string loss : {"cosine", "contrastive"}) {
    CAPTURE(loss);
    Surroundings s(colours(60));
    auto params = by_cosine();
    params.isolation_loss = loss;
    AblDefense defense(params);
    s.at("isolate");
    defense.before_stage(s.context);
    CHECK_FALSE(defense.suspicion());
    CHECK(std::get<0>(defense.choose_samples(s.context).sort()).equal(torch::arange(60)));
    s.at("train");
    defense.before_stage(s.context);
    CHECK(s.model.training);
    const auto suspicion = defense.suspicion();
    REQUIRE(suspicion);
    const auto isolated = (suspicion->scores > *suspicion->threshold).nonzero().squeeze(1);
    CHECK(isolated.size(0) == 6);
    if (loss == "cosine") CHECK(isolated.equal(torch::arange(0, 60, 10)));
    const auto others = defense.choose_samples(s.context);
    CHECK(others.size(0) == 54);
    CHECK_FALSE(defense.choose_samples(s.context).equal(others));
    s.at("unlearn");
    defense.before_stage(s.context);  // not isolated again
    const auto unlearned = std::get<0>(defense.choose_samples(s.context).sort());
    CHECK(unlearned.equal(isolated));
    CHECK(std::get<0>(torch::cat({others, unlearned}).sort()).equal(torch::arange(60)));
  }
}

TEST_CASE("abl isolates at least a batch and leaves one", "[defense][abl]") {
  for (const auto& [share, expected] : {std::make_pair(0.0, 4), std::make_pair(1.0, 56)}) {
    Surroundings s(colours(60));
    auto params = by_cosine();
    params.isolated_share = share;
    AblDefense defense(params);
    defense.before_stage(s.context);
    s.at("unlearn");
    CHECK(defense.choose_samples(s.context).size(0) == expected);
  }
}

TEST_CASE("abl says so when there are not two batches, before it trains", "[defense][abl]") {
  Surroundings s(colours(7));
  s.at("isolate");
  AblDefense defense({});
  CHECK_THROWS_WITH(defense.before_stage(s.context),
                    Catch::Contains("two batches of 4 pairs") && Catch::Contains("got 7 pairs"));
}

TEST_CASE("abl's tricks turn or push back a loss below the floor, and leave one above", "[defense][abl]") {
  Surroundings s(colours(60));
  s.at("isolate");
  const double loss = clip_loss(images(), captions(), torch::tensor(10.0F)).item<double>();
  const auto with = [&](const std::string& trick, double floor) {  // in nats
    AblDefense::Params params;
    params.isolation_trick = trick;
    params.loss_floor = floor / std::log(2);  // of a batch of two
    return AblDefense(params).loss({}, images(), captions(), s.context).item<double>();
  };
  REQUIRE(loss == Approx(0.892).epsilon(0.01));
  for (const std::string trick : {"local_ascent", "flooding", "none"}) {
    CAPTURE(trick);
    CHECK(with(trick, 0.5) == Approx(loss));
  }
  CHECK(with("local_ascent", 1) == Approx(-loss));
  CHECK(with("flooding", 1) == Approx(2 - loss));
  CHECK(with("none", 1) == Approx(loss));
}

TEST_CASE("abl trains by the CLIP loss and unlearns by minus the loss that was asked for", "[defense][abl]") {
  Surroundings s(colours(60));
  const double loss = clip_loss(images(), captions(), torch::tensor(10.0F)).item<double>();
  AblDefense::Params params;
  params.loss_floor = 2;  // in the first stage only
  const auto at = [&](const std::string& stage) {
    s.at(stage);
    return AblDefense(params).loss({}, images(), captions(), s.context).item<double>();
  };
  CHECK(at("train") == Approx(loss));
  params.unlearning_loss = "contrastive";
  CHECK(at("unlearn") == Approx(-loss));
  params.unlearning_loss = "cosine";
  CHECK(at("unlearn") == Approx(0.8));  // 1 - cosine rises as the cosine falls
}

TEST_CASE("abl saves what it isolated", "[defense][abl]") {
  Surroundings s(colours(60));
  AblDefense saved(by_cosine()), loaded(by_cosine()), empty({}), fresh({});
  saved.before_stage(s.context);
  copy_state(saved, loaded);
  CHECK(loaded.suspicion()->scores.equal(saved.suspicion()->scores));
  CHECK(loaded.suspicion()->threshold == saved.suspicion()->threshold);
  s.at("unlearn");
  CHECK(std::get<0>(loaded.choose_samples(s.context).sort()).equal(torch::arange(0, 60, 10)));
  copy_state(empty, fresh);
  CHECK_FALSE(fresh.suspicion());
}

}  // namespace roclip::abl_test
