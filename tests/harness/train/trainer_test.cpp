#include "harness/train/trainer.h"

#include <torch/optim/sgd.h>
#include <catch2/catch.hpp>

#include "harness/record/torch_compat.h"
#include "training.h"

using namespace roclip;
using namespace roclip::bench;

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

TEST_CASE("training on images that were all copied to the device is the same", "[train][gpu]") {
  TrainHooks hooks;
  hooks.resident = true;  // as on a GPU with room for them
  for (const auto& [name, params] : kTrainings) {
    CAPTURE(name);
    CHECK(trained(name, params, 1, hooks).weights == trained(name, params, 1).weights);
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
    if (const auto checkpoint = again.newest(); !checkpoint.empty()) {
      auto archive = opened(checkpoint);
      c10::IValue text;
      archive.read("position", text);
      const Json position = Json::parse(text.toStringRef());
      steps = position.at("trained").at("steps");
    }
    CHECK(steps <= 9);
  }
}
