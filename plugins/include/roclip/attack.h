/// Write an attack: this is the only header you need. See attacks/badnets for a whole one.
///
/// An attack decides which training pairs change and what its trigger looks like. It does not train, evaluate or
/// touch files. The harness calls plan() once, stamps and stores what the plan asks for beside the clean data (never
/// into it), trains, and later calls apply_trigger() on held-out images.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "roclip/dataset.h"
#include "roclip/error.h"
#include "roclip/params.h"
#include "roclip/plugin.h"
#include "roclip/rng.h"

namespace roclip {

/// What the attacker sees. All references outlive the call, no longer.
struct AttackView {
  const Pairs& train;
  const LabelledImages& held_out;
  const std::vector<ClassInfo>& classes;
};

/// Names an image of the data set.
struct ImageRef {
  enum class Set { kTrain, kHeldOut };
  Set set = Set::kTrain;
  std::int64_t index = 0;
  bool operator==(const ImageRef&) const = default;
};

/// One poisoned pair.
struct Edit {
  std::optional<std::int64_t> replaces;  ///< the training pair that disappears; none: the pair is added
  ImageRef image;                        ///< where the pixels come from
  bool triggered = false;                ///< whether apply_trigger() is stamped on them, before any augmentation
  std::string caption;
  bool operator==(const Edit&) const = default;
};

/// A held-out image that the attacker wants classified as a class of his choice.
struct TargetImage {
  std::int64_t held_out = 0;
  std::int64_t adversarial_class = 0;
  bool operator==(const TargetImage&) const = default;
};

/// All that an attack does to a training set, and what it counts as success: either target images (targeted
/// poisoning) or a target class for every triggered image (backdoor), or neither (no attack).
struct PoisonPlan {
  std::vector<Edit> edits;
  std::vector<TargetImage> targets;
  std::optional<std::int64_t> target_class;
  bool operator==(const PoisonPlan&) const = default;
};

/// Lifecycle: make -> plan() once -> apply_trigger() any number of times -> delete.
class Attack {
 public:
  virtual ~Attack() = default;

  /// Pure: the same (view, seed) gives the same plan; another seed another one.
  /// @post each training pair is replaced at most once, no image is a target twice; every index is in range; captions
  /// are UTF-8; not both targets and a target class (the harness checks).
  /// @throws Error(kMatrix) when the data cannot serve the parameters (no such class, too few captions). [one thread]
  virtual PoisonPlan plan(const AttackView& view, std::uint64_t seed) const = 0;

  /// @param images uint8 [B, 3, H, W], RGB. @return a stamped copy of the same shape; the argument stays as it is.
  /// Deterministic, so that the trigger met in training is the trigger met in the test. [any thread]
  virtual torch::Tensor apply_trigger(const torch::Tensor& images) const { return images.clone(); }

  /// The pixels that apply_trigger() may change on each of these images, for whoever wants to hold it to that.
  /// @return bool [B, H, W]; none (the default): it may change all. [any thread]
  virtual std::optional<torch::Tensor> trigger_area(const torch::Tensor&) const { return std::nullopt; }
};

}  // namespace roclip

/// Exports `Class` (derived from Attack, with a nested `Params` and a constructor from it) as an attack.
/// ID carries a revision, "badnets/1": raise it when equal parameters would give other numbers.
#define ROCLIP_ATTACK(Class, ID, SUMMARY) ROCLIP_PLUGIN(kAttack, Class, ID, SUMMARY)
