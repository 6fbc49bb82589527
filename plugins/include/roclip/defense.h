/// Write a defense: this is the only header you need. See defenses/roclip for a whole one.
///
/// Training is a list of stages; the base class *is* plain CLIP training in one stage, and each of its steps is a hook.
/// The loop that calls the hooks is harness/train/trainer.cpp, one screen:
///
///     for each stage:  before_stage
///       for each epoch:  before_epoch, choose_samples
///         for each batch:  augment_images, augment_caption, step (which calls loss), backward, update, after_step
///         after_epoch
///       after_stage
///
/// The trainer owns the stages: each has a schedule of its own over the samples that it really uses, its progress and
/// its checkpoints. A stage that is marked `plain` is plain CLIP training: no hook is called in it, and all defenses
/// that begin with equal plain stages share what they train.
///
/// A defense owns whatever state it needs (a pool, scores) and saves it in save()/load(), so that a killed cell can
/// resume to the same bits in any stage. A cell that resumes makes a new object and calls load(); it goes on in the
/// middle of an epoch, without before_stage() and before_epoch(). So all state must be saved.
///
/// It sees the poisoned pairs and the model, never the attack: no trigger, no target.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/augment.h"
#include "roclip/clip_model.h"
#include "roclip/dataset.h"
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

/// What a defense needs beyond a place in the loop; recorded in the result. A cell whose matrix does not grant it ends
/// as "skipped".
enum class Capability {
  kPoisonedPairs,  ///< the poisoned training set only (the threat model of RoCLIP)
  kCleanSubset,    ///< also a trusted subset of it that no attack touches (the threat model of CleanCLIP)
  kKnowsPoisons,   ///< also which pairs are poisons: no defense, but the control that no filter can beat
};

/// One stage of training.
struct Stage {
  std::string name = "train";  ///< of [a-z0-9_]; differs between the stages of a defense
  std::int64_t epochs = 1;
  std::int64_t batch_size = 64;
  double learning_rate = 1e-3;    ///< peak, after the warm-up; then a cosine down to 0
  double warmup_share = 0;        ///< of the stage's steps, with a rising learning rate
  std::int64_t epochs_ahead = 0;  ///< each step has the learning rate of the step that comes so many epochs later
  enum class Weights { kKeep, kReset };
  Weights weights = Weights::kKeep;  ///< kReset: the first step begins with the initial weights of the cell's seed
  bool plain = false;                ///< plain CLIP training, without the hooks of this defense
  bool operator==(const Stage&) const = default;
};

/// What every hook may use. Lives for the whole training; owned by the trainer.
struct TrainContext {
  ClipModel& model;
  const PairSource& pairs;                        ///< poisons are somewhere in it, in no particular place
  const std::vector<std::int64_t>& clean_subset;  ///< indices into pairs, ascending; empty unless capability() asks
  const std::vector<bool>& poisoned;              ///< of each pair: is it a poison? Empty unless capability() asks
  const std::vector<std::string>& vocabulary;     ///< words of the clean training captions
  Rng& rng;                                       ///< stream of the defense, for pools and the like
  Rng& augmentation_rng;                          ///< stream of the augmentations
  Rng& order_rng;                                 ///< stream of choose_samples()
  PhaseClock& clock;       ///< a defense may lap its own phases; what is left of step() counts as "loss"
  Stage stage = {};        ///< that is trained
  std::int64_t epoch = 0;  ///< of the stage, 1..stage.epochs; 0 in before_stage(), epochs + 1 in after_stage()
  double progress = 0;  ///< share of the stage's steps that are done, in the hooks of an epoch and of a step; below 1
};

/// For a stage on the clean subset. @param defense its name, for the message
/// @throws Error(kMatrix) if the clean subset is smaller than a batch of the stage.
void check_clean_subset(const TrainContext& context, const std::string& defense);
/// The checked clean subset in a new order, drawn from order_rng, as choose_samples() returns it.
torch::Tensor shuffled_clean_subset(TrainContext& context, const std::string& defense);

/// One step's pairs, augmented, on the model's device where not said otherwise.
struct Batch {
  torch::Tensor indices;              ///< i64 [B], into TrainContext::pairs, on the CPU
  torch::Tensor pixels;               ///< f32 [B, 3, H, W], 0..1
  std::vector<std::string> captions;  ///< B of them
  torch::Tensor tokens;               ///< i64 [B, L], of the captions
};

/// Suspicion scores of a defense that looks for poisons.
struct Suspicion {
  torch::Tensor scores;             ///< f64 [N], one for each training pair, on the CPU; higher = more suspicious
  std::optional<double> threshold;  ///< pairs above it are those that the defense takes for poisons
};

/// What a defense may use that inspects the inputs of a trained model. References outlive the call, no longer.
struct Deployment {
  ClipModel& model;                       ///< in evaluation mode
  const std::vector<ClassInfo>& classes;  ///< that inputs are classified into, with their prompts
  const torch::Tensor& references;        ///< f32 [R, 3, H, W], 0..1: clean images that the defender trusts, unlabelled
  std::uint64_t seed;                     ///< of whatever is drawn; the same for all inputs
};

/// Plain CLIP, the control. All hooks run on one thread. What they return is checked: a cell whose defense breaks this
/// contract fails, and says which hook.
class Defense {
 public:
  virtual ~Defense() = default;

  virtual Capability capability() const { return Capability::kPoisonedPairs; }
  /// Whether it is a yardstick for others, such as a filter that drops pairs at random.
  virtual bool is_control() const { return false; }
  /// The stages, in order; at least one. Depends on the parameters and `training` only.
  /// @param training what the matrix file says under "training", as one stage. Default: that stage.
  virtual std::vector<Stage> stages(const Stage& training) const;

  /// At the beginning of a stage of its own. A filter belongs here. The model, in training mode, is as the stage before
  /// left it, also where this stage then resets the weights: pairs can be scored by what was trained on them.
  virtual void before_stage(TrainContext& context);
  virtual void before_epoch(TrainContext& context);
  /// The pairs of this epoch, in order. @return i64 [n] on the CPU, at least a batch. Default: a permutation of all.
  virtual torch::Tensor choose_samples(TrainContext& context);
  /// @param pixels f32 [B, 3, H, W], 0..1. Default: unchanged.
  virtual torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext& context);
  /// Default: unchanged.
  virtual std::string augment_caption(const std::string& caption, TrainContext& context);
  /// Whether the text tower gets a gradient in this epoch; no saves its backward pass in the default step().
  virtual bool text_requires_grad(const TrainContext& context) const;
  /// The loss to minimise. @return f32 [], with gradient. Default: encodes pixels and tokens, then loss().
  virtual torch::Tensor step(const Batch& batch, TrainContext& context);
  /// @param z_img, z_txt f32 [B, D], unit rows, with gradient (z_txt: unless text_requires_grad() said no).
  /// @return f32 []. Default: clip_loss(z_img, z_txt).
  virtual torch::Tensor loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                             TrainContext& context);
  virtual void after_step(TrainContext& context);
  virtual void after_epoch(TrainContext& context);
  /// At the end of a stage of its own: score pairs, prune, or change the weights in place through
  /// context.model.trainable(). The model is in evaluation mode: whoever trains on calls train(true) first. Gradients
  /// are on. Not repeated by a cell that resumes in a later stage.
  virtual void after_stage(TrainContext& context);

  /// Suspicion of each training pair, once training has ended; none (the default) for a defense that does not score.
  virtual std::optional<Suspicion> suspicion() const;

  /// Suspicion of inputs of the trained model; none (the default) for a defense that does not inspect them. Runs
  /// without gradient and changes nothing. The score of an image does not depend on the others of its batch.
  /// @param pixels f32 [B, 3, H, W], 0..1. @return f64 [B] on the CPU, finite; higher = more suspicious
  virtual std::optional<torch::Tensor> input_suspicion(const torch::Tensor& pixels, const Deployment& deployment) const;

  /// Called between two steps, or after the last one. save() changes nothing; load() of the same gives the same state,
  /// but all tensors come on the CPU: what is needed on the model's device is moved there before it is used.
  virtual void save(torch::serialize::OutputArchive& archive) const;
  virtual void load(torch::serialize::InputArchive& archive);
};

}  // namespace roclip

/// Exports `Class` (derived from Defense, with a nested `Params` and a constructor from it) as a defense.
#define ROCLIP_DEFENSE(Class, ID, SUMMARY) ROCLIP_PLUGIN(kDefense, Class, ID, SUMMARY)
