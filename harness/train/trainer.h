/// The training loop, one for all defenses.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "harness/train/adamw.h"
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
};

struct TrainReport {
  std::vector<EpochStats> epochs;
  std::int64_t steps = 0;
  std::int64_t pairs = 0;                 ///< seen, repetitions counted
  std::map<std::string, double> phase_s;  ///< wall time by phase of a step
};

/// The model that the trainer needs: what plugins see, and its parameters.
class TrainableClip : public ClipModel {
 public:
  virtual std::vector<torch::Tensor> trainable() = 0;
  /// Hash of all parameters and buffers, bit for bit.
  virtual std::string weights_hash() const = 0;
  /// Brings the learned temperature back into [0, ln 100].
  virtual void clamp_logit_scale() = 0;
};

/// Trains `model` on `pairs` under `defense`. The last incomplete batch of an epoch is dropped.
/// @param vocabulary words that text augmentation may insert. @param seed of the cell.
/// @throws Diverged at the first loss that is not finite, and whatever the defense throws.
TrainReport train(TrainableClip& model, const TrainingPairs& pairs, Defense& defense, const TrainingParams& params,
                  const std::vector<std::string>& vocabulary, std::uint64_t seed,
                  const std::function<void(const TrainProgress&)>& listener);

}  // namespace roclip::bench
