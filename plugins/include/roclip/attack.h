/// Write an attack: this is the only header you need. See attacks/badnets for a whole one.
///
/// An attack decides which training pairs change, what its trigger looks like, and what it counts as success. It does
/// not evaluate or touch files. The harness calls, in this order:
///
///     prepare(lab)     once for all cells that share it, if prepares() says so; its result is stored
///     adopt(artifact)  in each process, before anything else
///     plan(view, seed) once for all cells that share it; the plan is stored, stamped and laid over the clean data
///     apply_trigger(images, draws), apply_text_trigger(captions, draws)  on training pairs and in tests
///
/// A simple attack overrides plan() and apply_trigger().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <torch/types.h>

#include "roclip/dataset.h"
#include "roclip/error.h"
#include "roclip/params.h"
#include "roclip/plugin.h"
#include "roclip/rng.h"

namespace roclip {

class ClipModel;

/// What prepare() made: named tensors on the CPU, of type u8, i64, f32 or f64. Stored as a safetensors file whose hash
/// stands in the results, shared by cells, exported with the poisons.
using Artifact = std::map<std::string, torch::Tensor>;

/// What the attacker sees. All references outlive the call, no longer.
struct AttackView {
  const PairSource& train;
  const LabelledImages& held_out;
  const std::vector<ClassInfo>& classes;
  /// Training pairs that no attack may replace or remove: the defender's clean subset. Ascending.
  const std::vector<std::int64_t>& clean_subset;
  /// {"plugin": id, "params": {...}} of the defense of the cell; null unless knows_defense().
  const Json& defense;

  bool may_change(std::int64_t pair) const;
};

/// Names an image: of the data set, or of the attack's own artifact.
struct ImageRef {
  /// kArtifact: row `index` of the artifact's tensor "images", uint8 [N, 3, px, px].
  enum class Set { kTrain, kHeldOut, kArtifact };
  Set set = Set::kTrain;
  std::int64_t index = 0;
  bool operator==(const ImageRef&) const = default;
};

/// One use of a trigger. Equal draws on equal images give equal pixels: whatever a trigger chooses at random (a place,
/// a noise), it chooses from `value`, which is recorded with the poisons.
struct Draw {
  std::int64_t trigger = 0;  ///< which of the attack's triggers, from 0
  std::uint64_t value = 0;   ///< random bits
  bool test = false;         ///< on a test image; some published attacks place the trigger differently there
  bool operator==(const Draw&) const = default;
};

/// One poisoned pair.
struct Edit {
  std::optional<std::int64_t> replaces;  ///< the training pair that disappears; none: the pair is added
  ImageRef image;                        ///< where the pixels come from
  std::optional<Draw> trigger;           ///< how apply_trigger() is called on them, before any augmentation; or not
  std::string caption;                   ///< as it is trained on, a text trigger included
  bool operator==(const Edit&) const = default;
};

/// A held-out image that the attacker wants classified as a class of his choice.
struct TargetImage {
  std::int64_t held_out = 0;
  std::int64_t adversarial_class = 0;
  bool operator==(const TargetImage&) const = default;
};

/// Goals: what an attacker wants, and so what its success is counted by.
struct NoGoal {
  bool operator==(const NoGoal&) const = default;
};
/// Targeted poisoning: these images are taken for these classes. No image twice.
struct TargetImagesGoal {
  std::vector<TargetImage> targets;
  bool operator==(const TargetImagesGoal&) const = default;
};
/// A backdoor in images: an image that carries trigger t is taken for class target_class[t].
struct TriggeredImagesGoal {
  std::vector<std::int64_t> target_class;
  /// A backdoor with two keys: only where the class prompts carry text trigger t too.
  bool triggered_prompts = false;
  bool operator==(const TriggeredImagesGoal&) const = default;
};
/// A backdoor in text: a caption or prompt that carries trigger t means class target_class[t], whatever it says.
struct TriggeredTextGoal {
  std::vector<std::int64_t> target_class;
  bool operator==(const TriggeredTextGoal&) const = default;
};
/// Confusion without a trigger: images of one class are taken for another.
struct ConfusedClassesGoal {
  std::int64_t image_class = 0;
  std::int64_t caption_class = 0;
  bool operator==(const ConfusedClassesGoal&) const = default;
};
using Goal = std::variant<NoGoal, TargetImagesGoal, TriggeredImagesGoal, TriggeredTextGoal, ConfusedClassesGoal>;

/// All that an attack does to a training set, and what for.
struct PoisonPlan {
  std::vector<Edit> edits;
  std::vector<std::int64_t> removes = {};  ///< training pairs that disappear without a poison in their place
  Goal goal = NoGoal{};
  bool operator==(const PoisonPlan&) const = default;
};

/// What prepare() may use. [one thread]
class Lab {
 public:
  virtual ~Lab() = default;
  virtual const AttackView& view() const = 0;
  virtual std::uint64_t seed() const = 0;
  /// A model that the attacker trains: the architecture and training of the matrix file, on the clean pairs, from
  /// initial weights of its own, for so many epochs. In evaluation mode, owned by the lab, trained once.
  virtual ClipModel& surrogate(std::int64_t epochs) = 0;
};

/// Lifecycle: make -> [prepare()] -> adopt() if it prepares -> plan() once -> triggers any number of times -> delete.
class Attack {
 public:
  virtual ~Attack() = default;

  /// Whether there is something to prepare(): a trigger to optimise, a model to train.
  virtual bool prepares() const { return false; }
  /// Pure: the same view and seed give the same artifact. [one thread]
  virtual Artifact prepare(Lab& lab) const;
  /// Takes what prepare() made, here or in another process. [one thread]
  virtual void adopt(Artifact artifact);

  /// Whether this attacker knows the defense of the cell, and sees its configuration: an adaptive attack. Then each
  /// defense meets poisons of its own. The result says so.
  virtual bool knows_defense() const { return false; }

  /// Pure: the same (view, seed) gives the same plan; another seed another one.
  /// @post each training pair is replaced or removed at most once, and only if view.may_change() it; no image is a
  /// target twice; every index is in range; captions are UTF-8; triggers of edits are those of the goal, where it has
  /// any (the harness checks).
  /// @throws Error(kMatrix) when the data cannot serve the parameters (no such class, too few captions). [one thread]
  virtual PoisonPlan plan(const AttackView& view, std::uint64_t seed) const = 0;

  /// @param images uint8 [B, 3, px, px], RGB. @param draws B of them. @return a stamped copy of the same shape; the
  /// argument stays as it is. Depends on the image and its draw only, not on the others. [any thread]
  virtual torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const;

  /// The pixels that apply_trigger() may change on each of these images, for whoever wants to hold it to that.
  /// @return bool [B, px, px]; none (the default): it may change all. [any thread]
  virtual std::optional<torch::Tensor> trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const;

  /// Captions or prompts with the trigger in them. @param draws one for each. Default: unchanged. [any thread]
  virtual std::vector<std::string> apply_text_trigger(std::span<const std::string> captions,
                                                      std::span<const Draw> draws) const;
};

/// What an attacker sees of a data set, which must outlive the view. @param defense as AttackView::defense; null: none
AttackView view_of(const Dataset& data, const Json* defense = nullptr);
/// Draws of trigger 0 with consecutive values: for whoever stamps images outside of a run, as tests do.
std::vector<Draw> some_draws(std::int64_t count);
/// The draws with which a run stamps test items: equal items get equal draws in every cell of a seed.
/// @param evaluation_seed stream(seed, role::kEvaluation). @param items i64 [n], ids such as held-out indices
std::vector<Draw> test_draws(std::uint64_t evaluation_seed, const torch::Tensor& items, std::int64_t trigger);

}  // namespace roclip

/// Exports `Class` (derived from Attack, with a nested `Params` and a constructor from it) as an attack.
/// ID carries a revision, "badnets/1": raise it when equal parameters would give other numbers.
#define ROCLIP_ATTACK(Class, ID, SUMMARY) ROCLIP_PLUGIN(kAttack, Class, ID, SUMMARY)
