/// The training loop, one for all defenses.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "harness/model/trainable_clip.h"
#include "harness/train/adamw.h"
#include "harness/train/checkpoint.h"
#include "roclip/defense.h"

namespace roclip::bench {

/// The "training" section of a matrix file.
struct TrainingParams {
  std::int64_t epochs = 12;
  std::int64_t batch_size = 64;
  double learning_rate = 2e-3;
  double warmup_share = 0.08;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.98;
  double epsilon = 1e-8;

  void declare(ParamList& list);
};

/// What a listener hears, about ten times a second and at every end of an epoch.
struct TrainProgress {
  std::int64_t epoch, epochs;
  std::int64_t step, steps;  ///< since the start of training
  double loss;               ///< nats, mean over this epoch so far
  double pairs_per_s;        ///< over this epoch so far
};

struct EpochStats {
  std::int64_t epoch;
  double loss;         ///< nats, mean over the steps
  double logit_scale;  ///< at the end
  double wall_s;
  std::map<std::string, double> watched;  ///< of TrainHooks::at_epoch_end
};

struct TrainReport {
  std::vector<EpochStats> epochs;
  std::int64_t steps = 0;
  std::int64_t pairs = 0;                 ///< seen, repetitions counted
  std::map<std::string, double> phase_s;  ///< wall time by phase of a step
  double wall_s = 0;                      ///< of all processes that worked on it
  std::int64_t resumed = 0;               ///< how often it went on from a checkpoint
  std::string trained_by;                 ///< the cell that began it
};

/// Thrown out of Trainer::run() when it was asked to stop; the state is in a checkpoint if there is a store.
class Interrupted : public Error {
 public:
  Interrupted() : Error(ErrorKind::kInternal, "interrupted") {}
};

/// What Trainer::run() calls or consults between two steps. All may be empty.
struct TrainHooks {
  std::function<void(const TrainProgress&)> progress;
  std::function<bool()> stop_requested;
  std::function<void(std::int64_t)> after_step;  ///< with the number of steps since the start of training
  std::function<std::map<std::string, double>()> at_epoch_end;  ///< in evaluation mode; told with the epoch
  CheckpointStore* checkpoints = nullptr;
  std::string owner;  ///< id of the cell, kept in checkpoints
};

/// Trains a model under a defense. All arguments must outlive it. [one thread]
class Trainer {
 public:
  /// Calls defense.begin(). The last incomplete batch of an epoch is dropped.
  /// @param vocabulary words that text augmentation may insert. @param seed of the cell.
  /// @throws Error(kMatrix) for a batch larger than the data, and whatever the defense throws
  Trainer(TrainableClip& model, const TrainingPairs& pairs, Defense& defense, const TrainingParams& params,
          const std::vector<std::string>& vocabulary, std::uint64_t seed);

  /// From the newest checkpoint if there is one, else from the start, to the end of training; then a last checkpoint.
  /// The model is left in evaluation mode, not repaired yet. A checkpoint that cannot be written is told on stderr.
  /// @throws Diverged at the first loss that is not finite, Interrupted, and whatever the defense throws
  TrainReport run(const TrainHooks& hooks);

  /// Defense::repair() on the trained model, which is in evaluation mode before and after.
  void repair();

  /// Wall time by phase of a step, so far.
  const std::map<std::string, double>& phase_s() const { return clock_.phases(); }

 private:
  void step(const torch::Tensor& indices, bool text_learns);
  void save(torch::serialize::OutputArchive& archive) const;
  void load(torch::serialize::InputArchive& archive);
  bool resume(CheckpointStore* checkpoints);
  void tell(const TrainHooks& hooks);
  std::map<std::string, double> watched(const TrainHooks& hooks);
  void checkpoint(const TrainHooks& hooks);
  std::int64_t steps_per_epoch() const { return pairs_.size() / params_.batch_size; }

  TrainableClip& model_;
  const TrainingPairs& pairs_;
  Defense& defense_;
  TrainingParams params_;
  Rng defense_rng_, augmentation_rng_, order_rng_;
  PhaseClock clock_;
  TrainContext context_;
  AdamW optimizer_;

  torch::Tensor order_;        ///< i64 [n], pairs of this epoch; undefined between epochs
  std::int64_t position_ = 0;  ///< steps done in this epoch
  double loss_sum_ = 0;        ///< over them
  double epoch_s_ = 0;         ///< wall time of this epoch up to lap_
  std::chrono::steady_clock::time_point lap_, last_told_, last_saved_;
  TrainReport report_;
};

}  // namespace roclip::bench
