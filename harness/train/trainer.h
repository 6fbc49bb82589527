/// The training loop, one for all defenses.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/data/loader.h"
#include "harness/model/clip.h"
#include "harness/model/ranks.h"
#include "harness/record/cell_record.h"
#include "harness/record/progress.h"
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
  double image_rate = 1;
  double text_rate = 1;
  double max_gradient = 0;
  std::string precision = "f32";
  bool deterministic = false;
  bool recompute_layers = false;
  std::int64_t micro_batch = 0;

  void declare(ParamList& list);
  /// The stage that these values describe.
  Stage stage() const;
};

struct TrainReport {
  std::vector<StageRecord> stages;
  std::vector<EpochRecord> epochs;
  std::map<std::string, double> phase_s = {};  ///< wall time by phase of a step
  std::int64_t resumed = 0;                    ///< how often it went on from a checkpoint

  std::int64_t steps() const;
};

/// Thrown out of Trainer::run() when it was asked to stop; the state is in a checkpoint if there is a store.
class Interrupted : public Error {
 public:
  Interrupted() : Error(ErrorKind::kInternal, "interrupted") {}
};

/// A cell that the matrix, or this run, does not let run.
class Skipped : public Error {
 public:
  using Error::Error;
};

/// What Trainer::run() calls or consults between two steps. All may be empty.
struct TrainHooks {
  std::function<void(const TrainProgress&)> progress;
  std::function<bool()> stop_requested;
  std::function<void(std::int64_t)> after_step;  ///< with the number of steps since the start of training
  std::function<std::map<std::string, double>()> at_epoch_end;  ///< in evaluation mode; told with the epoch
  CheckpointStore* checkpoints = nullptr;
  /// Of the plain stages that training begins with, which other cells train alike; null: they go to `checkpoints`.
  CheckpointStore* shared_checkpoints = nullptr;
  /// Steps whose losses stay on the device until they are read together; 0: 1 on the CPU, where reading costs nothing,
  /// else 32, for a GPU waits whenever it is asked.
  std::int64_t losses_at_once = 0;
  /// Whether all images are copied to the device at the start; empty: if it is a GPU and they take a quarter of its
  /// free memory at most.
  std::optional<bool> resident = {};
  int loader_threads = 1;  ///< that read images ahead, where reading takes long; no result depends on it
  std::string owner;       ///< id of the cell, kept in checkpoints
};

/// The learning rate of a step: linear warm-up over the first `warmup` steps, then a half cosine to zero (as CLIP and
/// the RoCLIP authors do), which rises again after `total`. @param step 0-based. @pre step >= 0, 0 <= warmup < total
double learning_rate_at(std::int64_t step, std::int64_t total, std::int64_t warmup, double peak);

/// How many stages at the beginning are plain CLIP training.
std::size_t plain_prefix(const std::vector<Stage>& stages);

/// What training is done on. References outlive the trainer.
struct TrainInputs {
  const PairSource& pairs;
  const std::vector<std::int64_t>& clean_subset;  ///< indices into pairs
  const std::vector<bool>& poisoned;              ///< of each pair; empty unless the defense may know
  const std::vector<std::string>& vocabulary;     ///< words that text augmentation may insert
  std::uint64_t seed;                             ///< of the cell
  const Ranks& ranks = Ranks::alone();            ///< that train the same
};

/// Trains a model under a defense, stage by stage. All arguments must outlive it. [one thread]
class Trainer {
 public:
  /// The last incomplete batch of an epoch is dropped. With ranks, all of them do the same, and rank 0 reads and writes
  /// checkpoints for all. @param params epochs and learning rate are those of `stages`
  /// @param model untrained
  /// @throws Error(kMatrix) for a batch that is larger than the data or cannot be shared out to the ranks, and whatever
  /// the defense throws
  Trainer(TrainableClip& model, Defense& defense, const TrainingParams& params, const TrainInputs& inputs);

  /// From the newest checkpoint if there is one, else from the start, to the end of training; a last checkpoint at the
  /// end of training and of the shared stages. The model is left in evaluation mode. A checkpoint that cannot be
  /// written is told on stderr.
  /// @throws Diverged naming the step of the first loss that is not finite, before anything of that step or of those
  /// after it is kept; Interrupted, if any rank was asked to stop; Skipped for a checkpoint of another number of
  /// ranks; RanksLost; Error(kInternal) if the ranks' weights differ; and whatever the defense throws
  TrainReport run(const TrainHooks& hooks);

  /// Wall time by phase of a step, so far.
  const std::map<std::string, double>& phase_s() const { return clock_.phases(); }

 private:
  const Stage& stage() const { return stages_[stage_]; }
  /// Whose hooks are called in this stage.
  Defense& hooked() { return stage().plain ? plain_ : defense_; }
  void ready_images(const TrainHooks& hooks);
  void begin_stage();
  void make_optimizer();
  void train_epoch(const TrainHooks& hooks);
  void end_stage(const TrainHooks& hooks);
  void step(const torch::Tensor& indices);
  void read_losses();
  double learning_rate() const;
  void tell_progress();
  void expect_equal_weights(const std::string& when) const;
  void resume(const TrainHooks& hooks);
  void tell(const TrainHooks& hooks);
  std::map<std::string, double> watched(const TrainHooks& hooks);
  CheckpointStore* store_of(const TrainHooks& hooks, std::size_t stage) const;
  void checkpoint(CheckpointStore* store);
  void save(torch::serialize::OutputArchive& archive) const;
  void load(torch::serialize::InputArchive& archive);
  /// @param ranks that the model is trained by
  ModelUse model_use(const Ranks& ranks) const;

  TrainableClip& model_;
  Defense& defense_;
  Defense plain_;
  TrainingParams params_;
  const Ranks& ranks_;
  std::vector<Stage> stages_;
  std::vector<torch::Tensor> initial_;  ///< weights and buffers; empty if no stage resets them
  Rng defense_rng_, augmentation_rng_, order_rng_;
  PhaseClock clock_;
  TrainContext context_;
  std::unique_ptr<AdamW> optimizer_;  ///< of this stage
  std::unique_ptr<Loader> loader_;    ///< null: images are read when they are needed
  torch::Tensor resident_;            ///< u8 [N, 3, px, px], all images on a GPU that has room for them; or undefined

  std::size_t stage_ = 0;              ///< that is trained, or comes next
  torch::Tensor order_;                ///< i64 [n], pairs of this epoch; undefined between epochs
  std::int64_t batches_ = 0;           ///< in it
  std::int64_t position_ = 0;          ///< steps done in this epoch
  std::vector<torch::Tensor> losses_;  ///< of the last of them, on the device
  double loss_sum_ = 0;                ///< over the others
  double epoch_s_ = 0;                 ///< wall time of this epoch up to lap_
  std::chrono::steady_clock::time_point lap_, last_told_, last_saved_;
  TrainReport report_;
};

}  // namespace roclip::bench
