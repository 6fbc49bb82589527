#include "unlearn.h"

#include <catch2/catch.hpp>

#include "support/toy_context.h"

namespace roclip::unlearn_test {

namespace {

/// Six red pairs; the cosine similarity of image and caption is 0.6, 1, 0, 0.8, -1 and 0.28.
struct Surroundings {
  Surroundings() : toy(model, tensor_pairs(images(), {"a", "b", "c", "d", "e", "f"})) {
    context.stage = {.name = "overfit", .batch_size = 2};
    model.image_weight.requires_grad_();
    model.word_weight.requires_grad_();
    model.scale.requires_grad_();
  }

  static torch::Tensor images() {
    auto red = torch::zeros({6, 3, 4, 4}, torch::kUInt8);
    red.select(1, 0).fill_(200);
    return red;
  }

  /// What overfitting would do: caption c is learned.
  void overfit() {
    const torch::NoGradGuard no_grad;
    model.word_weight[model.vocabulary.at("c")].copy_(torch::tensor({2.0F, 0.0F, 0.0F}));
  }
  double similarity_of(std::int64_t pair) {
    const auto index = torch::tensor({pair}, torch::kLong);
    return (embed_images(model, *toy.pairs, index) * embed_captions(model, *toy.pairs, index)).sum().item<double>();
  }

  FakeClip model{{{"a", {0.6F, 0.8F, 0}},
                  {"b", {1, 0, 0}},
                  {"c", {0, 1, 0}},
                  {"d", {0.8F, 0.6F, 0}},
                  {"e", {-1, 0, 0}},
                  {"f", {0.28F, 0.96F, 0}}}};
  ToySurroundings toy;
  TrainContext& context = toy.context;
};

UnlearnDefense::Params unlearning(std::int64_t steps, double stop_similarity) {
  UnlearnDefense::Params params;
  params.unlearn_steps = steps;
  params.unlearn_learning_rate = 0.2;
  params.stop_similarity = stop_similarity;
  return params;
}

}  // namespace

TEST_CASE("unlearn trains as plain CLIP first, then overfits what was trained", "[defense][unlearn]") {
  const Stage training{.epochs = 3, .batch_size = 8, .learning_rate = 0.5};
  UnlearnDefense::Params params;
  params.overfit_epochs = 7;
  params.overfit_learning_rate = 0.25;
  const auto stages = UnlearnDefense(params).stages(training);
  REQUIRE(stages.size() == 2);
  Stage plain = training;
  plain.plain = true;
  CHECK(stages[0] == plain);
  CHECK(stages[1] == Stage{.name = "overfit", .epochs = 7, .batch_size = 8, .learning_rate = 0.25});
}

TEST_CASE("unlearn overfits on the pairs that match worst, at least a batch", "[defense][unlearn]") {
  const auto chosen = [](double share) {
    Surroundings surroundings;
    UnlearnDefense::Params params;
    params.overfit_share = share;
    UnlearnDefense defense(params);
    defense.before_stage(surroundings.context);
    CHECK(surroundings.model.training);
    return std::get<0>(defense.choose_samples(surroundings.context).sort());
  };
  CHECK(chosen(0.5).equal(torch::tensor({2, 4, 5}, torch::kLong)));  // 0, -1 and 0.28
  CHECK(chosen(0).equal(torch::tensor({2, 4}, torch::kLong)));
  CHECK(chosen(1).equal(torch::arange(6)));
}

TEST_CASE("unlearn overfits with the plain loss and the batch statistics of the poisoned model", "[defense][unlearn]") {
  Surroundings surroundings;
  auto& model = surroundings.model;
  UnlearnDefense defense({});
  const Batch batch{.indices = {},
                    .pixels = torch::rand({2, 3, 4, 4}, at::detail::createCPUGenerator(3)),
                    .captions = {},
                    .tokens = model.tokenize(std::vector<std::string>{"a", "c"})};
  model.train(true);
  const auto loss = defense.step(batch, surroundings.context);
  CHECK_FALSE(model.training);
  CHECK(loss.equal(clip_loss(model.encode_image(batch.pixels), model.encode_text(batch.tokens), model.scale)));
}

TEST_CASE("unlearn suspects the pair whose similarity jumped, and puts the poisoned model back", "[defense][unlearn]") {
  Surroundings surroundings;
  const auto poisoned = surroundings.model.word_weight.detach().clone();
  UnlearnDefense defense(unlearning(0, 0));
  defense.before_stage(surroundings.context);
  CHECK_FALSE(defense.suspicion());
  surroundings.overfit();
  defense.after_stage(surroundings.context);
  CHECK(surroundings.model.word_weight.equal(poisoned));
  const auto suspicion = defense.suspicion();
  REQUIRE(suspicion);
  const auto jumps = torch::tensor({0.0, 0.0, 1.0, 0.0, 0.0, 0.0}, torch::kDouble);
  CHECK(torch::allclose(suspicion->scores, jumps, 1e-6, 1e-6));
  CHECK((suspicion->scores > *suspicion->threshold).equal(jumps > 0.5));
}

TEST_CASE("unlearn makes the suspect less similar to its image, and stops early", "[defense][unlearn]") {
  const auto after = [](const UnlearnDefense::Params& params) {
    Surroundings surroundings;
    UnlearnDefense defense(params);
    defense.before_stage(surroundings.context);
    surroundings.overfit();
    defense.after_stage(surroundings.context);
    return surroundings.similarity_of(2);
  };
  CHECK(after(unlearning(100, 0)) == Approx(0).margin(1e-6));  // as the poisoned model has it: nothing to do
  const double one = after(unlearning(1, -0.5)), two = after(unlearning(2, -0.5));
  CHECK(one < -0.05);
  CHECK(two < one);
  const double stopped = after(unlearning(1000, -0.5));
  CHECK(stopped <= -0.5);
  CHECK(stopped > -0.9);  // a step or so later
}

TEST_CASE("unlearn suspects as many pairs as its share, at least one", "[defense][unlearn]") {
  const auto suspects = [](double share) {
    Surroundings surroundings;
    auto params = unlearning(0, 0);
    params.unlearn_share = share;
    UnlearnDefense defense(params);
    defense.before_stage(surroundings.context);
    {
      const torch::NoGradGuard no_grad;
      auto& rows = surroundings.model.word_weight;
      for (const auto& [word, x] : std::map<std::string, float>{{"a", 1}, {"c", 3}, {"d", 2}}) {
        rows[surroundings.model.vocabulary.at(word)][0] += x;
      }
    }
    defense.after_stage(surroundings.context);
    const auto suspicion = defense.suspicion();
    return (suspicion->scores > *suspicion->threshold).nonzero().squeeze(1);
  };
  CHECK(suspects(0).equal(torch::tensor({2}, torch::kLong)));
  CHECK(suspects(1.0 / 3).equal(torch::tensor({0, 2}, torch::kLong)));
  CHECK(suspects(0.5).equal(torch::tensor({0, 2, 3}, torch::kLong)));
}

TEST_CASE("unlearn unlearns the words that tie a caption to its image", "[defense][unlearn]") {
  FakeClip model({{"east", {1, 0, 0}}, {"north", {0, 1, 0}}, {"up", {0, 0, 1}}});
  const auto image = torch::tensor({0.8F, 0.6F, 0.0F});
  CHECK(local_words(model, image, "Up, north east!", 1) == "east");
  CHECK(local_words(model, image, "Up, north east!", 2) == "north east");
  CHECK(local_words(model, image, "Up, north east!", 3) == "Up, north east!");
  CHECK(local_words(model, image, "Up, north east!", 0) == "Up, north east!");
  CHECK(local_words(model, image, "", 2).empty());
}

TEST_CASE("unlearn saves the poisoned model while it overfits, and then its scores", "[defense][unlearn]") {
  Surroundings surroundings;
  const auto poisoned = surroundings.model.word_weight.detach().clone();
  UnlearnDefense begun(unlearning(0, 0)), resumed(unlearning(0, 0)), finished(unlearning(0, 0)), fresh({}), empty({});
  begun.before_stage(surroundings.context);
  copy_state(begun, resumed);
  surroundings.overfit();
  const auto first = begun.choose_samples(surroundings.context);
  surroundings.toy.order_rng = Rng(3);
  CHECK(resumed.choose_samples(surroundings.context).equal(first));
  resumed.after_stage(surroundings.context);
  CHECK(surroundings.model.word_weight.equal(poisoned));
  copy_state(resumed, finished);
  CHECK(finished.suspicion()->scores.equal(resumed.suspicion()->scores));
  CHECK(finished.suspicion()->threshold == resumed.suspicion()->threshold);
  copy_state(empty, fresh);
  CHECK_FALSE(fresh.suspicion());
}

}  // namespace roclip::unlearn_test
