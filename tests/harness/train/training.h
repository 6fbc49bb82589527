/// Whole trainings on the toy data set, for tests of the trainer.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
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
  std::map<std::string, torch::Tensor> values = {};  ///< of the weights
  std::int64_t reads = 0;                            ///< of images that came slowly
};

inline const Registry& registry() {
  static const Registry shipped({ROCLIP_PLUGIN_DIR});
  return shipped;
}

inline TrainInputs inputs_of(const PoisonedPairs& pairs, const Vocabulary& vocabulary, std::uint64_t seed,
                             const Ranks& ranks = Ranks::alone()) {
  static const std::vector<bool> not_told;
  return {.pairs = pairs,
          .clean_subset = pairs.clean_subset(),
          .poisoned = not_told,
          .vocabulary = vocabulary.known_words(),
          .seed = seed,
          .ranks = ranks};
}

/// Pairs that are read ahead, and how many images were.
class SlowPairs final : public PairSource {
 public:
  explicit SlowPairs(std::shared_ptr<const PairSource> pairs) : pairs_(std::move(pairs)) {}
  std::int64_t size() const override { return pairs_->size(); }
  std::int64_t image_px() const override { return pairs_->image_px(); }
  bool is_slow() const override { return true; }
  std::string caption(std::int64_t index) const override { return pairs_->caption(index); }
  void read_image(std::int64_t index, std::uint8_t* to) const override {
    ++reads;
    pairs_->read_image(index, to);
  }
  mutable std::atomic<std::int64_t> reads = 0;

 private:
  std::shared_ptr<const PairSource> pairs_;
};

struct Around {
  const Ranks& ranks = Ranks::alone();
  Json training = Json::object();  ///< keys of this section of a matrix
  bool slow_pairs = false;
};

/// A whole training on the toy data set, in a process of its own as far as state goes.
inline Outcome trained(Defense& defense, std::uint64_t seed, TrainHooks hooks = {}, bool watched = false,
                       const Around& around = {}) {
  Dataset data = toy_dataset();
  const auto slow = std::make_shared<SlowPairs>(data.train);
  if (around.slow_pairs) data.train = slow;
  const auto attack = registry().make_attack("none", Json::object());
  const PoisonedPairs pairs(data, {}, *attack, {}, seed);
  const auto vocabulary = std::make_shared<const Vocabulary>(*data.train, 1);
  const Json small = {{"image_px", 8},       {"stem_kernel_px", 2}, {"stem_stride_px", 2}, {"stage_widths", {8}},
                      {"stage_blocks", {1}}, {"embedding_dim", 8},  {"text_width", 8}};
  const auto model = [&] {
    static std::mutex one_at_a_time;  // initial weights come from a generator of the whole process
    const std::scoped_lock lock(one_at_a_time);
    return make_clip(model_spec(effective_model(small, ".", "m")), vocabulary, seed, torch::kCPU);
  }();
  Json training = {{"epochs", 4}, {"batch_size", 8}, {"learning_rate", 0.01}};
  training.update(around.training);
  Trainer trainer(*model, defense, read_params<TrainingParams>(training, "training"),
                  inputs_of(pairs, *vocabulary, seed, around.ranks));
  const SimilarityWatch watch(pairs, seed);
  if (watched) hooks.at_epoch_end = [&] { return watch(*model); };
  slow->reads = 0;
  auto report = trainer.run(hooks);
  Outcome outcome{std::move(report), model->weights_hash(), {}, slow->reads};
  for (const auto& [name, tensor] : model->weights()) outcome.values[name] = tensor.detach().clone();
  model->encode_image(to_pixels(data.held_out.images(0, 12), torch::kCPU));
  if (model->weights_hash() != outcome.weights) throw std::logic_error("in evaluation mode a statistic moves");
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
