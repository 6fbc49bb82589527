/// What plugins are tested on: a data set that a few lines of code draw, the same everywhere, and a training on it.
#pragma once

#include <memory>

#include "harness/data/poisoned_pairs.h"
#include "harness/model/clip.h"
#include "harness/model/vocabulary.h"
#include "harness/train/checked_plugins.h"
#include "harness/train/trainer.h"

namespace roclip::bench::conformance {

/// Coloured shapes on plain ground, 32 px: six classes, each the name of a shape and three prompts; 240 training pairs
/// ("a drawing of a red circle"), 60 probe and 72 held-out images with labels and captions. As with data on disk, the
/// images are memory that may only be read: who writes to them crashes.
Dataset built_in_data();

/// One training that takes a tenth of a second, from random weights to its end: a few thousand parameters on the
/// built-in data with a few held-out images under captions of wrong classes.
class SmallTraining {
 public:
  static constexpr std::int64_t kEpochs = 4;

  /// @param data must outlive this. @param clock laps every hook of the defense, if there is one
  explicit SmallTraining(const Dataset& data, std::unique_ptr<Defense> defense = std::make_unique<Defense>(),
                         std::int64_t epochs = kEpochs, PhaseClock* clock = nullptr);

  /// Trains to the end. @throws as Trainer::run()
  TrainReport run(const TrainHooks& hooks = {}) { return trainer_.run(hooks); }

  TrainableClip& model() { return *model_; }
  const PoisonedPairs& pairs() const { return pairs_; }
  const Defense& defense() const { return defense_; }

 private:
  CheckedDefense defense_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  PoisonedPairs pairs_;
  std::vector<std::int64_t> no_subset_;
  std::vector<bool> poisoned_;
  std::unique_ptr<TrainableClip> model_;
  Trainer trainer_;
};

}  // namespace roclip::bench::conformance
