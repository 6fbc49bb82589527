/// A look at a poison set: what it does in numbers, and a sheet of pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "harness/poison/poison_set.h"

namespace roclip::bench {

/// How far triggered images are from clean ones; means and maxima over images. Differences are of colours 0..1.
struct TriggerSize {
  std::int64_t images = 0;
  double l_infinity_mean = 0, l_infinity_max = 0;        ///< largest difference of a colour in the image
  double l2_mean = 0, l2_max = 0;                        ///< length of the difference of the whole image
  double share_changed_mean = 0, share_changed_max = 0;  ///< of its pixels
};
/// @param clean, triggered uint8 [N, 3, H, W]
TriggerSize trigger_size(const torch::Tensor& clean, const torch::Tensor& triggered);

/// What a set does, in numbers: {"folder", "attack", "seed", "data", "pairs" of the poisoned training set, "poisons",
/// "replacing", "added", "removed", "triggered", "goal", "targets", "target_class" or null, "trigger" or null}; sizes
/// of the trigger as TriggerSize has them.
Json facts(const PoisonSet& set);

/// The same in a few lines for a person.
std::string summary(const PoisonSet& set, const Json& facts);

/// Draws at most `count` rows: poisons, then test images; each clean, poisoned, the difference amplified and centred on
/// grey, and captions before and after. Targets show their image once, with captions that lie about it.
/// @throws Error(kData) if it cannot be written
void write_poison_sheet(const PoisonSet& set, std::int64_t count, const std::filesystem::path& png);

}  // namespace roclip::bench
