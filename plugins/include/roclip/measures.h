/// What the headline of a metric is about. Plugins declare it (metric.h); results store it by name, and reports decide
/// by it where the number stands. No header of LibTorch is needed.
#pragma once

#include <array>

namespace roclip {

enum class Better { kLower, kHigher };

/// What a metric's number is about. Reports put attack success beside clean accuracy, and say of an attack that fails
/// undefended that it is too weak to judge a defense.
enum class Measures {
  kAttackSuccess,   ///< how often the attacker's goal is reached
  kCleanAccuracy,   ///< what the model is worth without an attacker
  kDetection,       ///< how well a defense tells poisons from clean pairs
  kModelDetection,  ///< how well backdoored models are told from clean ones; its headline is a score of one model
  kOther,
};
/// The names that results store, in the order of Measures.
inline constexpr std::array kMeasureNames = {"attack_success", "clean_accuracy", "detection", "model_detection",
                                             "other"};

}  // namespace roclip
