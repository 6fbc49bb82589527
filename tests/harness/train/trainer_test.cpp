#include <catch2/catch.hpp>

#include "harness/clip/clip.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/train/trainer.h"
#include "registry.h"
#include "support/toy_dataset.h"

using namespace roclip;
using namespace roclip::bench;

namespace {

struct Outcome {
  TrainReport report;
  std::string weights;
};

Outcome trained(const std::string& defense_name, const Json& params, std::uint64_t seed) {
  static const Registry registry({ROCLIP_PLUGIN_DIR});
  const Dataset data = toy_dataset();
  const auto attack = registry.make_attack("none", Json::object());
  const PoisonedPairs pairs(data, {}, *attack, seed);
  const auto vocabulary = std::make_shared<const Vocabulary>(data.train.captions, 1);
  const Json small = {{"image_px", 8},       {"stem_kernel_px", 2}, {"stem_stride_px", 2}, {"stage_widths", {8}},
                      {"stage_blocks", {1}}, {"embedding_dim", 8},  {"text_width", 8}};
  const auto model = make_clip(model_params(small, "m"), vocabulary, seed, torch::kCPU);
  const auto defense = registry.make_defense(defense_name, params);
  TrainingParams training;
  training.epochs = 4;
  training.batch_size = 8;
  training.learning_rate = 0.01;
  auto report = train(*model, pairs, *defense, training, vocabulary->known_words(), seed, [](const TrainProgress&) {});
  return {std::move(report), model->weights_hash()};
}

const Json kAugmented = {{"image_augmentation", true}, {"text_augmentation", true}};

}  // namespace

TEST_CASE("training lowers the loss", "[train]") {
  const auto outcome = trained("clip", Json::object(), 1);
  REQUIRE(outcome.report.epochs.size() == 4);
  CHECK(outcome.report.epochs.back().loss < outcome.report.epochs.front().loss);
  CHECK(outcome.report.steps == 4 * (60 / 8));
}

TEST_CASE("the same seed gives the same bits twice, with augmentation and with every kind of matching", "[train]") {
  for (const auto& [name, params] :
       std::vector<std::pair<std::string, Json>>{{"clip", Json::object()},
                                                 {"clip", kAugmented},
                                                 {"roclip", {{"match_every", 2}, {"pool_fraction", 0.5}}},
                                                 {"roclip", {{"match_every", 1}, {"text_gradient", "matched"}}}}) {
    CAPTURE(name, params.dump());
    CHECK(trained(name, params, 1).weights == trained(name, params, 1).weights);
  }
  CHECK(trained("clip", Json::object(), 1).weights != trained("clip", Json::object(), 2).weights);
}

TEST_CASE("roclip that never matches is plain CLIP with augmentation, to the bit", "[train][roclip]") {
  CHECK(trained("roclip", {{"match_every", 0}}, 3).weights == trained("clip", kAugmented, 3).weights);
}

TEST_CASE("a defense that returns a loss that is not finite ends training as diverged", "[train]") {
  static const Registry rogues({ROCLIP_ROGUES_DIR});
  const Dataset data = toy_dataset();
  const auto model = make_clip(model_params({{"image_px", 8}, {"stem_kernel_px", 2}, {"stem_stride_px", 2}}, "m"),
                               std::make_shared<const Vocabulary>(data.train.captions, 1), 1, torch::kCPU);
  static const Registry registry({ROCLIP_PLUGIN_DIR});
  const PoisonedPairs pairs(data, {}, *registry.make_attack("none", Json::object()), 1);
  const auto defense = rogues.make_defense("diverges", Json::object());
  CHECK_THROWS_AS(
      train(*model, pairs, *defense, {.epochs = 1, .batch_size = 8}, {"word"}, 1, [](const TrainProgress&) {}),
      Diverged);
}
