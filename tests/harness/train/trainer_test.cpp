#include <filesystem>
#include <fstream>
#include <set>

#include <torch/optim/sgd.h>
#include <torch/serialize.h>
#include <catch2/catch.hpp>

#include "harness/data/poisoned_pairs.h"
#include "harness/engine/examples.h"
#include "harness/model/clip.h"
#include "harness/model/vocabulary.h"
#include "harness/record/cell.h"
#include "harness/record/torch_compat.h"
#include "harness/train/trainer.h"
#include "registry.h"
#include "support/scratch_folder.h"
#include "support/toy_dataset.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

struct Outcome {
  TrainReport report;
  std::string weights;
};

const Registry& registry() {
  static const Registry shipped({ROCLIP_PLUGIN_DIR});
  return shipped;
}

TrainInputs inputs_of(const PoisonedPairs& pairs, const Vocabulary& vocabulary, std::uint64_t seed) {
  static const std::vector<bool> not_told;
  return {.pairs = pairs,
          .clean_subset = pairs.clean_subset(),
          .poisoned = not_told,
          .vocabulary = vocabulary.known_words(),
          .seed = seed};
}

/// A whole training on the toy data set, in a process of its own as far as state goes.
Outcome trained(Defense& defense, std::uint64_t seed, TrainHooks hooks = {}, bool watched = false) {
  const Dataset data = toy_dataset();
  const auto attack = registry().make_attack("none", Json::object());
  const PoisonedPairs pairs(data, {}, *attack, {}, seed);
  const auto vocabulary = std::make_shared<const Vocabulary>(*data.train, 1);
  const Json small = {{"image_px", 8},       {"stem_kernel_px", 2}, {"stem_stride_px", 2}, {"stage_widths", {8}},
                      {"stage_blocks", {1}}, {"embedding_dim", 8},  {"text_width", 8}};
  const auto model = make_clip(model_spec(effective_model(small, ".", "m")), vocabulary, seed, torch::kCPU);
  TrainingParams training;
  training.epochs = 4;
  training.batch_size = 8;
  training.learning_rate = 0.01;
  Trainer trainer(*model, defense, training, inputs_of(pairs, *vocabulary, seed));
  const SimilarityWatch watch(pairs, seed);
  if (watched) hooks.at_epoch_end = [&] { return watch(*model); };
  auto report = trainer.run(hooks);
  Outcome outcome{std::move(report), model->weights_hash()};
  model->encode_image(to_pixels(data.held_out.images(0, 12), torch::kCPU));
  CHECK(model->weights_hash() == outcome.weights);  // in evaluation mode no statistic moves
  return outcome;
}
Outcome trained(const std::string& defense_name, const Json& params, std::uint64_t seed, const TrainHooks& hooks = {},
                bool watched = false) {
  const auto defense = registry().make_defense(defense_name, params);
  return trained(*defense, seed, hooks, watched);
}

const Json kAugmented = {{"image_augmentation", true}, {"text_augmentation", true}};
const std::vector<std::pair<std::string, Json>> kTrainings = {
    {"clip", Json::object()},
    {"clip", kAugmented},
    {"roclip", {{"match_every", 2}, {"pool_fraction", 0.5}}},
    {"roclip", {{"match_every", 1}, {"text_gradient", "matched"}}},
    {"roclip", {{"match_every", 2}, {"pool_refresh", "every_epoch"}, {"pool_initialisation", "noise"}}}};

/// Asks to stop after `steps` steps.
TrainHooks stopping_after(std::int64_t steps, CheckpointStore& checkpoints) {
  TrainHooks hooks;
  hooks.checkpoints = &checkpoints;
  hooks.stop_requested = [steps, done = std::int64_t{0}]() mutable { return ++done == steps; };
  hooks.owner = "me";
  return hooks;
}

}  // namespace

TEST_CASE("training lowers the loss", "[train]") {
  const auto outcome = trained("clip", Json::object(), 1);
  REQUIRE(outcome.report.epochs.size() == 4);
  CHECK(outcome.report.epochs.back().loss < outcome.report.epochs.front().loss);
  CHECK(outcome.report.steps() == 4 * (60 / 8));
}

TEST_CASE("the same seed gives the same bits twice, with augmentation and with every kind of matching", "[train]") {
  for (const auto& [name, params] : kTrainings) {
    CAPTURE(name, params.dump());
    CHECK(trained(name, params, 1).weights == trained(name, params, 1).weights);
  }
  CHECK(trained("clip", Json::object(), 1).weights != trained("clip", Json::object(), 2).weights);
}

TEST_CASE("every operation of a training has an algorithm with equal bits, as \"deterministic\" on a GPU asks for",
          "[train][gpu]") {
  const struct Switch {
    Switch() { set_gpu_policy(/*tf32=*/false, /*deterministic=*/true); }
    ~Switch() { at::globalContext().setDeterministicAlgorithms(false, false); }
  } on;
  CHECK(at::globalContext().deterministicAlgorithms());
  for (const auto& [name, params] : kTrainings) {
    CAPTURE(name, params.dump());
    CHECK(trained(name, params, 1).weights == trained(name, params, 1).weights);  // throws if one has none
  }
}

TEST_CASE("losses that are read together are those that are read one by one", "[train]") {
  TrainHooks hooks;
  const auto one_by_one = trained("clip", kAugmented, 1, hooks);  // as on every CPU
  for (const std::int64_t at_once : {2, 3, 100}) {                // 7 steps an epoch
    hooks.losses_at_once = at_once;
    const auto together = trained("clip", kAugmented, 1, hooks);
    CHECK(together.weights == one_by_one.weights);
    for (std::size_t e = 0; e < 4; ++e) CHECK(together.report.epochs[e].loss == one_by_one.report.epochs[e].loss);
  }
}

TEST_CASE("watching similarities does not change what is learned, and tells them for every epoch", "[train]") {
  const auto watched = trained("clip", kAugmented, 1, {}, true);
  CHECK(watched.weights == trained("clip", kAugmented, 1).weights);
  for (const auto& epoch : watched.report.epochs) {
    REQUIRE(epoch.watched.size() == 1);  // without an attack there are no poisoned pairs
    CHECK(std::abs(epoch.watched.at("similarity_clean")) <= 1);
  }
}

TEST_CASE("roclip that never matches is plain CLIP with augmentation, to the bit", "[train][roclip]") {
  CHECK(trained("roclip", {{"match_every", 0}}, 3).weights == trained("clip", kAugmented, 3).weights);
}

TEST_CASE("a defense may let go of gradients, and repair with an optimizer of its own", "[train]") {
  struct Tuner final : Defense {
    bool tunes = false;
    void after_step(TrainContext& context) override {
      for (auto& weights : context.model.trainable()) weights.mutable_grad().reset();
    }
    void after_stage(TrainContext& context) override {
      if (!tunes) return;
      context.model.train(true);
      torch::optim::SGD optimizer(context.model.trainable(), 0.1);
      const auto pixels = to_pixels(context.pairs.images(torch::arange(8)), torch::kCPU);
      for (int step = 0; step < 2; ++step) {
        optimizer.zero_grad();
        context.model.encode_image(pixels).slice(1, 0, 1).sum().backward();
        optimizer.step();
      }
    }
  };
  Tuner lets_go, tunes;
  tunes.tunes = true;
  const auto plain = trained("clip", Json::object(), 1).weights;
  CHECK(trained(lets_go, 1).weights == plain);
  CHECK(trained(tunes, 1).weights != plain);
}

TEST_CASE("a defense that returns a loss that is not finite ends training as diverged", "[train]") {
  static const Registry rogues({ROCLIP_ROGUES_DIR});
  const Dataset data = toy_dataset();
  const auto vocabulary = std::make_shared<const Vocabulary>(*data.train, 1);
  const Json small = {{"image_px", 8}, {"stem_kernel_px", 2}, {"stem_stride_px", 2}};
  const auto model = make_clip(model_spec(effective_model(small, ".", "m")), vocabulary, 1, torch::kCPU);
  static const Registry registry({ROCLIP_PLUGIN_DIR});
  const PoisonedPairs pairs(data, {}, *registry.make_attack("none", Json::object()), {}, 1);
  const auto defense = rogues.make_defense("diverges", Json::object());
  Trainer trainer(*model, *defense, {.epochs = 1, .batch_size = 8}, inputs_of(pairs, *vocabulary, 1));
  CHECK_THROWS_AS(trainer.run({}), Diverged);
}

/// Its loss is infinite from the given step on.
class Explodes : public Defense {
 public:
  explicit Explodes(std::int64_t step) : step_(step) {}
  torch::Tensor step(const Batch& batch, TrainContext& context) override {
    const auto loss = Defense::step(batch, context);
    return ++done_ < step_ ? loss : loss * std::numeric_limits<double>::infinity();
  }

 private:
  std::int64_t step_, done_ = 0;
};

TEST_CASE("the step whose loss is not finite is named, and no checkpoint holds it, however late it is read",
          "[train][resume]") {
  for (const std::int64_t at_once : {1, 4, 100}) {
    CAPTURE(at_once);
    const ScratchFolder folder;
    CheckpointStore checkpoints(folder / "checkpoints", {.every_s = 0, .every_epochs = 1});
    Explodes defense(10);  // 7 steps an epoch
    TrainHooks hooks;
    hooks.checkpoints = &checkpoints;
    hooks.losses_at_once = at_once;
    CHECK_THROWS_WITH(trained(defense, 1, hooks), Catch::Contains("loss is inf in stage train at epoch 2 step 3"));
    CheckpointStore again(folder / "checkpoints", {});
    std::int64_t steps = -1;
    again.load([&](torch::serialize::InputArchive& archive) {
      c10::IValue text;
      archive.read("position", text);
      const Json position = Json::parse(text.toStringRef());
      steps = position.at("trained").at("steps");
    });
    CHECK(steps <= 9);
  }
}

TEST_CASE("training that is stopped at any step and resumed ends with the bits of one that was not",
          "[train][resume]") {
  for (const auto& [name, params] : kTrainings) {
    CAPTURE(name, params.dump());
    const auto undisturbed = trained(name, params, 5);
    for (const std::int64_t steps : {1, 6, 7, 8, 20, 28}) {  // 7 steps an epoch, 4 epochs
      CAPTURE(steps);
      const ScratchFolder folder;
      CheckpointStore checkpoints(folder / "checkpoints", {});
      CHECK_THROWS_AS(trained(name, params, 5, stopping_after(steps, checkpoints)), Interrupted);
      const auto resumed = trained(name, params, 5, stopping_after(1000, checkpoints));
      CHECK(resumed.weights == undisturbed.weights);
      CHECK(resumed.report.resumed == 1);
      CHECK(resumed.report.stages.at(0).trained_by == "me");
      REQUIRE(resumed.report.epochs.size() == 4);
      for (std::size_t e = 0; e < 4; ++e) CHECK(resumed.report.epochs[e].loss == undisturbed.report.epochs[e].loss);
    }
  }
}

TEST_CASE("a training stopped again and again still ends with the same bits", "[train][resume]") {
  const auto& [name, params] = kTrainings[2];
  const ScratchFolder folder;
  CheckpointStore checkpoints(folder / "checkpoints", {.every_s = 0, .every_epochs = 1});
  std::int64_t stops = 0;
  std::string weights;
  while (weights.empty()) {
    try {
      weights = trained(name, params, 5, stopping_after(3, checkpoints)).weights;
    } catch (const Interrupted&) {
      ++stops;
    }
  }
  CHECK(stops == 28 / 3);
  CHECK(weights == trained(name, params, 5).weights);
}

TEST_CASE("a finished training is taken from its last checkpoint without a step", "[train][resume]") {
  const ScratchFolder folder;
  CheckpointStore checkpoints(folder / "checkpoints", {});
  const auto first = trained("clip", Json::object(), 5, stopping_after(1000, checkpoints));
  const auto second = trained("clip", Json::object(), 5, stopping_after(1, checkpoints));  // one step would stop it
  CHECK(second.weights == first.weights);
  CHECK(second.report.steps() == first.report.steps());
}

TEST_CASE("two checkpoints are kept, and a damaged one is passed over for the one before", "[train][resume]") {
  const ScratchFolder folder;
  CheckpointStore checkpoints(folder / "checkpoints", {.every_s = 0, .every_epochs = 1});
  const auto undisturbed = trained("clip", Json::object(), 5, stopping_after(1000, checkpoints));
  std::set<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(folder / "checkpoints")) files.insert(file.path());
  REQUIRE(files.size() == 2);
  SECTION("with a byte changed") {
    std::fstream newest(*files.rbegin(), std::ios::in | std::ios::out | std::ios::binary);
    newest.seekp(5000);
    newest.put('!');
  }
  SECTION("cut short") { std::filesystem::resize_file(*files.rbegin(), 100); }
  const auto resumed = trained("clip", Json::object(), 5, stopping_after(1000, checkpoints));
  CHECK(resumed.report.resumed == 1);
  CHECK(resumed.weights == undisturbed.weights);
}

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
