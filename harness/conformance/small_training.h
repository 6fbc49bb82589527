/// A training that takes a tenth of a second: a few thousand parameters on the built-in set with a few poisons in it.
#pragma once

#include <memory>
#include <string>

#include "harness/data/poisoned_pairs.h"
#include "harness/model/clip.h"
#include "harness/train/trainer.h"
#include "roclip/attack.h"
#include "roclip/defense.h"

namespace roclip::bench::conformance {

/// Adds a few held-out images under captions of wrong classes.
class WrongCaptions final : public Attack {
 public:
  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
};

/// One training, from its random weights to its end.
class SmallTraining {
 public:
  static constexpr std::int64_t kEpochs = 4, kBatch = 24;

  /// Both must outlive this.
  SmallTraining(const Dataset& data, Defense& defense, std::int64_t epochs = kEpochs);

  /// Trains to the end. @throws as Trainer::run()
  TrainReport run(const TrainHooks& hooks = {}) { return trainer_.run(hooks); }

  TrainableClip& model() { return *model_; }
  const PoisonedPairs& pairs() const { return pairs_; }

 private:
  std::shared_ptr<const Vocabulary> vocabulary_;
  WrongCaptions attack_;
  PoisonedPairs pairs_;
  std::vector<std::int64_t> nothing_;
  std::unique_ptr<TrainableClip> model_;
  Trainer trainer_;
};

}  // namespace roclip::bench::conformance
