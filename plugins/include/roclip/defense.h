/// Write a defense: this is the only header you need. See defenses/roclip for a whole one.
///
/// The base class *is* plain CLIP training, and each of its steps is a hook. The loop that calls the hooks is
/// harness/train/trainer.cpp, one screen:
///
///     begin
///     for each epoch:  before_epoch, choose_samples
///       for each batch:  augment_images, augment_caption, loss, (backward, update), after_step
///       after_epoch
///     repair
///
/// A defense owns whatever state it needs (a pool, scores) and saves it in save()/load(), so that a killed cell can
/// resume to the same bits. It sees the poisoned pairs and the model, never the attack: no trigger, no target.
///
/// A cell that resumes calls begin() on the untrained model, as the first time, and then load(); it goes on in the
/// middle of an epoch, without before_epoch(). So state that begin() alone makes need not be saved; all else must be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/augment.h"
#include "roclip/clip_model.h"
#include "roclip/error.h"
#include "roclip/params.h"
#include "roclip/phase_clock.h"
#include "roclip/plugin.h"
#include "roclip/rng.h"

namespace torch::serialize {
class OutputArchive;
class InputArchive;
}  // namespace torch::serialize

namespace roclip {

/// What a defense needs beyond a place in the loop; recorded in the result. A cell whose harness or matrix does not
/// grant it ends as "skipped".
enum class Capability {
  kPoisonedPairs,  ///< the poisoned training set only (the threat model of RoCLIP)
  kCleanSubset,    ///< also a trusted set of clean pairs (CleanCLIP)
};

/// The training set as the defender meets it: poisons are somewhere in it, in no particular place.
class TrainingPairs {
 public:
  virtual ~TrainingPairs() = default;
  virtual std::int64_t size() const = 0;
  virtual const std::string& caption(std::int64_t index) const = 0;
  /// @param indices i64 [B] on the CPU, with any strides. @return uint8 [B, 3, H, W], a contiguous copy.
  virtual torch::Tensor images(const torch::Tensor& indices) const = 0;
};

/// What every hook may use. Lives for the whole training; owned by the trainer.
struct TrainContext {
  ClipModel& model;
  const TrainingPairs& pairs;
  const std::vector<std::string>& vocabulary;  ///< words of the clean training captions
  Rng& rng;                                    ///< stream of the defense, for pools and the like
  Rng& augmentation_rng;                       ///< stream of the augmentations
  Rng& order_rng;                              ///< stream of choose_samples()
  PhaseClock& clock;  ///< a defense may lap its own phases; what is left of loss() counts as "loss"
  std::int64_t epochs;
  std::int64_t batch_size;
  std::int64_t epoch = 0;  ///< 1..epochs while training; 0 before
};

/// One step's tensors, on the model's device. z_* have unit rows.
struct Batch {
  torch::Tensor indices;  ///< i64 [B], into TrainingPairs, on the CPU
  torch::Tensor tokens;   ///< i64 [B, L], of the augmented captions
  torch::Tensor z_img;    ///< f32 [B, D], with gradient
  torch::Tensor z_txt;    ///< f32 [B, D], with gradient unless text_learns() said no
};

/// What Defense::training_name() of a defense returns whose training is plain CLIP, without augmentation.
inline constexpr const char* kPlainTraining = "plain";

/// Plain CLIP, the control. All hooks run on one thread. What they return is checked: a cell whose defense breaks this
/// contract fails, and says which hook.
class Defense {
 public:
  virtual ~Defense() = default;

  virtual Capability capability() const { return Capability::kPoisonedPairs; }
  /// Defenses that return the same non-empty name train the same model from the same pairs: the harness trains it once
  /// and calls repair() of each on a copy of its own. A defense that overrides repair() only returns kPlainTraining.
  /// Default: "", a training of its own.
  virtual std::string training_name() const { return {}; }

  /// Once, before the first epoch. A filter that needs no training belongs here.
  virtual void begin(TrainContext& context);
  virtual void before_epoch(TrainContext& context);
  /// The pairs of this epoch, in order. @return i64 [n] on the CPU, at least a batch. Default: a permutation of all.
  virtual torch::Tensor choose_samples(TrainContext& context);
  /// @param pixels f32 [B, 3, H, W], 0..1. Default: unchanged.
  virtual torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext& context);
  /// Default: unchanged.
  virtual std::string augment_caption(const std::string& caption, TrainContext& context);
  /// Whether z_txt of this epoch needs a gradient; no saves the backward pass of the text tower.
  virtual bool text_learns(const TrainContext& context) const;
  /// @return f32 [], the loss to minimise. Default: clip_loss(z_img, z_txt).
  virtual torch::Tensor loss(const Batch& batch, TrainContext& context);
  virtual void after_step(TrainContext& context);
  virtual void after_epoch(TrainContext& context);
  /// Once, after the last epoch: fine-tune or prune the trained model in place, through context.model.trainable(). It
  /// is in evaluation mode: whoever trains on calls train(true) first. Gradients are on; context.epoch is epochs + 1.
  virtual void repair(TrainContext& context);

  /// Called between two steps, or after the last one. save() changes nothing; load() of the same gives the same state.
  virtual void save(torch::serialize::OutputArchive& archive) const;
  virtual void load(torch::serialize::InputArchive& archive);
};

}  // namespace roclip

/// Exports `Class` (derived from Defense, with a nested `Params` and a constructor from it) as a defense.
#define ROCLIP_DEFENSE(Class, ID, SUMMARY) ROCLIP_PLUGIN(kDefense, Class, ID, SUMMARY)
