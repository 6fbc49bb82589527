/// What lets a reader see an attack and a defense at work: similarities by epoch, and predictions for a few images.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <torch/types.h>

#include "harness/data/poisoned_pairs.h"
#include "harness/record/cell_record.h"
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

/// What shows an attack at work: a few poisons, and its first targets, or images of other classes than the target's
/// with the first trigger. An attack on text shows its poisons only. References must outlive this.
class Examples {
 public:
  Examples(const PoisonPlan& plan, const Dataset& data, const Attack& attack, std::uint64_t evaluation_seed);

  /// Stores the pictures: {"items": [{"held_out", "class", "wanted", "clean", "triggered"}], "poisons": [{"image",
  /// "caption"}]}, images as base64 of PNG, "triggered" null without a trigger. Does nothing if the file is there.
  void store(const std::filesystem::path& file, const PoisonedPairs& pairs) const;

  /// The three best classes and their probabilities, zero-shot, for each item.
  std::vector<ExampleRecord> predictions(ClipModel& model) const;

 private:
  const Dataset& data_;
  std::vector<std::int64_t> items_;   ///< held-out images, spread over the set; none without an attack on images
  std::vector<std::int64_t> wanted_;  ///< class of each
  torch::Tensor clean_, triggered_;   ///< uint8 [n, 3, px, px]; undefined where there are none
};

}  // namespace roclip::bench
