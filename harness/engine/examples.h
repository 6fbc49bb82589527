/// What lets a reader see an attack and a defense at work: similarities by epoch, and predictions for a few images.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <torch/types.h>

#include "harness/data/poisoned_pairs.h"
#include "roclip/attack.h"
#include "roclip/clip_model.h"
#include "roclip/params.h"

namespace roclip::bench {

/// Mean cosine similarity of an image and its caption, over the same few hundred clean pairs and poisoned pairs each
/// time: a defense works when the second stays low while the first grows.
class SimilarityWatch {
 public:
  /// @param pairs must outlive this. @param seed of the choice of clean pairs
  SimilarityWatch(const PoisonedPairs& pairs, std::uint64_t seed);

  /// @return "similarity_clean", and "similarity_poisoned" if there are poisons. @pre model in evaluation mode
  std::map<std::string, double> operator()(ClipModel& model) const;

 private:
  const PoisonedPairs& pairs_;
  torch::Tensor clean_, poisoned_;  ///< i64, indices of pairs
};

/// Held-out images to show of an attack: its first targets, or images of other classes than the target's, spread over
/// the set; none without an attack.
std::vector<std::int64_t> example_items(const PoisonPlan& plan, const Dataset& data);

/// Stores the pictures: {"items": [{"held_out", "class", "wanted", "clean", "triggered"}], "poisons": [{"image",
/// "caption"}]}, images as base64 of PNG, "triggered" null for a targeted attack. Does nothing if the file is there.
void store_examples(const std::filesystem::path& file, const PoisonPlan& plan, const Dataset& data,
                    const PoisonedPairs& pairs, const Attack& attack);

/// The three best classes and their probabilities, zero-shot, for each example:
/// [{"held_out", "clean": [["fruit", 0.8], ...], "triggered": same or null}].
Json example_predictions(ClipModel& model, const PoisonPlan& plan, const Dataset& data, const Attack& attack);

}  // namespace roclip::bench
