/// Whole trainings on the toy data set, for tests of the trainer.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "harness/data/poisoned_pairs.h"
#include "harness/engine/examples.h"
#include "harness/model/clip.h"
#include "harness/model/vocabulary.h"
#include "harness/record/cell.h"
#include "harness/train/trainer.h"
#include "registry.h"
#include "support/scratch_folder.h"
#include "support/toy_dataset.h"

namespace roclip::bench {

struct Outcome {
  TrainReport report;
  std::string weights;
};

inline const Registry& registry() {
  static const Registry shipped({ROCLIP_PLUGIN_DIR});
  return shipped;
}

inline TrainInputs inputs_of(const PoisonedPairs& pairs, const Vocabulary& vocabulary, std::uint64_t seed) {
  static const std::vector<bool> not_told;
  return {.pairs = pairs,
          .clean_subset = pairs.clean_subset(),
          .poisoned = not_told,
          .vocabulary = vocabulary.known_words(),
          .seed = seed};
}

/// A whole training on the toy data set, in a process of its own as far as state goes.
inline Outcome trained(Defense& defense, std::uint64_t seed, TrainHooks hooks = {}, bool watched = false) {
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
inline Outcome trained(const std::string& defense_name, const Json& params, std::uint64_t seed,
                       const TrainHooks& hooks = {}, bool watched = false) {
  const auto defense = registry().make_defense(defense_name, params);
  return trained(*defense, seed, hooks, watched);
}

inline const Json kAugmented = {{"image_augmentation", true}, {"text_augmentation", true}};
inline const std::vector<std::pair<std::string, Json>> kTrainings = {
    {"clip", Json::object()},
    {"clip", kAugmented},
    {"roclip", {{"match_every", 2}, {"pool_fraction", 0.5}}},
    {"roclip", {{"match_every", 1}, {"text_gradient", "matched"}}},
    {"roclip", {{"match_every", 2}, {"pool_refresh", "every_epoch"}, {"pool_initialisation", "noise"}}}};

/// Asks to stop after `steps` steps.
inline TrainHooks stopping_after(std::int64_t steps, CheckpointStore& checkpoints) {
  TrainHooks hooks;
  hooks.checkpoints = &checkpoints;
  hooks.stop_requested = [steps, done = std::int64_t{0}]() mutable { return ++done == steps; };
  hooks.owner = "me";
  return hooks;
}

}  // namespace roclip::bench
