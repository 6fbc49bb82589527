#include <torch/serialize.h>
#include <catch2/catch.hpp>

#include "training.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

/// A plain stage, then two of its own, which count what they see; the last begins anew with half of the pairs.
struct Stages : Defense {
  std::vector<std::string> heard;
  double sum = 0;

  std::vector<Stage> stages(const Stage& training) const override {
    Stage plain = training, tune = training, anew = training;
    plain.plain = true;
    plain.epochs = 2;
    tune.name = "tune";
    tune.epochs = 1;
    anew.name = "anew";
    anew.epochs = 2;
    anew.batch_size = 4;
    anew.weights = Stage::Weights::kReset;
    return {plain, tune, anew};
  }
  void before_stage(TrainContext& context) override { heard.push_back(context.stage.name); }
  torch::Tensor choose_samples(TrainContext& context) override {
    const auto all = Defense::choose_samples(context);
    return context.stage.name == "anew" ? all.narrow(0, 0, 30) : all;
  }
  torch::Tensor loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                     TrainContext& context) override {
    sum += context.rng.uniform();
    return Defense::loss(batch, z_img, z_txt, context);
  }
  void save(torch::serialize::OutputArchive& archive) const override {
    archive.write("sum", torch::tensor(sum, torch::kDouble));
  }
  void load(torch::serialize::InputArchive& archive) override {
    torch::Tensor saved;
    archive.read("sum", saved);
    sum = saved.item<double>();
  }
};

}  // namespace

TEST_CASE("each stage has its own epochs and batches, and no hook is called in a plain one", "[train][stages]") {
  Stages defense;
  const auto outcome = trained(defense, 5);
  CHECK(defense.heard == std::vector<std::string>{"tune", "anew"});
  REQUIRE(outcome.report.stages.size() == 3);
  CHECK(outcome.report.stages[0].steps == 2 * 7);
  CHECK(outcome.report.stages[1].steps == 7);
  CHECK(outcome.report.stages[2].steps == 2 * 7);  // 30 of 60 pairs, four a batch
  CHECK(outcome.report.epochs.back().stage == "anew");
  CHECK(outcome.report.stages[0].role == "plain");
  CHECK(outcome.report.stages[1].role == "after_training");
  CHECK(outcome.report.stages[2].role == "anew");
}

TEST_CASE("a stage that resets the weights begins with the initial ones", "[train][stages]") {
  struct Twice final : Defense {
    std::vector<Stage> stages(const Stage& training) const override {
      Stage again = training;
      again.name = "again";
      again.weights = Stage::Weights::kReset;
      again.learning_rate = 0;
      return {training, again};
    }
  };
  struct Frozen final : Defense {
    std::vector<Stage> stages(const Stage& training) const override {
      Stage frozen = training;
      frozen.learning_rate = 0;
      return {frozen};
    }
  };
  Twice twice;
  Frozen frozen;
  const auto a = trained(twice, 5), b = trained(frozen, 5);
  CHECK(a.report.epochs.back().logit_scale == b.report.epochs.back().logit_scale);
  CHECK(a.report.epochs[4].loss == Approx(b.report.epochs[0].loss).epsilon(0.2));
}

TEST_CASE("a stage that resets the weights is first shown the model of the stage before", "[train][stages]") {
  struct Looks final : Defense {
    torch::Tensor trained, shown, begun;
    std::vector<Stage> stages(const Stage& training) const override {
      Stage again = training;
      again.name = "again";
      again.weights = Stage::Weights::kReset;
      return {training, again};
    }
    static torch::Tensor weights_of(const TrainContext& context) {
      return context.model.trainable().front().detach().clone();
    }
    void before_stage(TrainContext& context) override {
      shown = weights_of(context);
      context.model.train(false);  // and forgets train(true)
    }
    void before_epoch(TrainContext& context) override {
      if (context.epoch == 1) begun = weights_of(context);
    }
    void after_stage(TrainContext& context) override {
      if (context.stage.name == "train") initial = begun, trained = weights_of(context);
    }
    torch::Tensor initial;
  };
  Looks looks;
  trained(looks, 5);
  CHECK(torch::equal(looks.shown, looks.trained));
  CHECK(torch::equal(looks.begun, looks.initial));
  CHECK_FALSE(torch::equal(looks.shown, looks.begun));
}

TEST_CASE("the learning rate ends with the stage, however few pairs a defense chooses", "[train][stages]") {
  struct Half final : Defense {
    std::vector<double> moved;  // how far a step moved the weights
    torch::Tensor before;
    torch::Tensor choose_samples(TrainContext& context) override {
      return Defense::choose_samples(context).narrow(0, 0, 24);
    }
    torch::Tensor step(const Batch& batch, TrainContext& context) override {
      before = context.model.trainable().front().detach().clone();
      return Defense::step(batch, context);
    }
    void after_step(TrainContext& context) override {
      moved.push_back((context.model.trainable().front().detach() - before).abs().mean().item<double>());
    }
  };
  Half half;
  trained(half, 5);
  REQUIRE(half.moved.size() == 4 * 3);
  CHECK(half.moved.back() < 0.1 * *std::ranges::max_element(half.moved));
}

TEST_CASE("the hooks hear which share of their stage is done", "[train][stages]") {
  struct Listens final : Defense {
    std::vector<double> at_epoch, at_step;
    void before_epoch(TrainContext& context) override { at_epoch.push_back(context.progress); }
    torch::Tensor choose_samples(TrainContext& context) override {
      return Defense::choose_samples(context).narrow(0, 0, 16);
    }
    torch::Tensor step(const Batch& batch, TrainContext& context) override {
      at_step.push_back(context.progress);
      return Defense::step(batch, context);
    }
  };
  Listens listens;
  trained(listens, 5);
  CHECK(listens.at_epoch == std::vector<double>{0, 0.25, 0.5, 0.75});
  CHECK(listens.at_step == std::vector<double>{0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875});
}

TEST_CASE("a training that is stopped in any stage and resumed ends with the same bits", "[train][stages][resume]") {
  Stages whole;
  const auto undisturbed = trained(whole, 5);
  for (const std::int64_t steps : {1, 13, 14, 15, 20, 21, 22, 34, 35}) {
    CAPTURE(steps);
    const ScratchFolder folder;
    CheckpointStore own(folder / "own", {}), shared(folder / "shared", {});
    Stages first, second;
    auto hooks = stopping_after(steps, own);
    hooks.shared_checkpoints = &shared;
    CHECK_THROWS_AS(trained(first, 5, hooks), Interrupted);
    hooks.stop_requested = {};
    const auto resumed = trained(second, 5, hooks);
    CHECK(resumed.weights == undisturbed.weights);
    CHECK(second.sum == whole.sum);
  }
}

TEST_CASE("a plain stage is trained once for all defenses that begin with it", "[train][stages][resume]") {
  struct PlainOnly final : Defense {
    std::vector<Stage> stages(const Stage& training) const override {
      Stage plain = training;
      plain.plain = true;
      plain.epochs = 2;
      return {plain};
    }
  };
  const ScratchFolder folder;
  CheckpointStore own(folder / "own", {}), shared(folder / "shared", {});
  TrainHooks hooks;
  hooks.checkpoints = &own;
  hooks.shared_checkpoints = &shared;
  hooks.owner = "first";
  PlainOnly plain;
  trained(plain, 5, hooks);
  hooks.owner = "second";
  Stages begins_alike, alone;
  const auto outcome = trained(begins_alike, 5, hooks);
  CHECK(outcome.report.stages[0].trained_by == "first");
  CHECK(outcome.report.stages[1].trained_by == "second");
  CHECK(outcome.weights == trained(alone, 5).weights);
}
