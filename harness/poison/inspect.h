/// A look at a poison set: what it does in numbers.
#pragma once

#include <string>

#include "harness/poison/poison_set.h"

namespace roclip::bench {

/// How far triggered images are from clean ones, with colours 0..1: the largest difference of a colour, the length of
/// the difference of the whole image, and the share of its pixels that changed.
/// @param clean, triggered uint8 [N, 3, H, W]. @return f64 [N, 3]
torch::Tensor trigger_size(const torch::Tensor& clean, const torch::Tensor& triggered);

/// What a set does, in numbers: {"folder", "attack", "seed", "data", "pairs" of the poisoned training set, "poisons",
/// "replacing", "added", "removed", "triggered", "goal", "targets", "target_class" or null, "trigger" or null}; of the
/// trigger "l_infinity", "l2" and "share_changed", each as mean and max over images, as trigger_size() has them.
Json facts(const PoisonSet& set);

/// The same in a few lines for a person.
std::string summary(const PoisonSet& set, const Json& facts);

}  // namespace roclip::bench
