/// What backdoor attacks have in common: how many pairs they poison, which, and under which captions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "roclip/attack.h"

namespace roclip {

/// Parameters "rate" and "count", of which exactly one is set. Params of an attack derive from it.
struct PoisonAmount {
  double rate = 0;         ///< share of the training pairs, 0..1, rounded to whole pairs
  std::int64_t count = 0;  ///< number of pairs, >= 0

  /// Adds both to `list`; the sources are where a reader finds values that were published.
  void declare(ParamList& list, const std::string& rate_source, const std::string& count_source);
  /// @throws Error(kMatrix) unless exactly one of both is above 0. @param attack its name, for the message
  void check(const std::string& attack) const;
  /// How many pairs to poison. @param candidates how many may be. @param which these are, such as "pairs of other
  /// classes may be changed". @throws Error(kMatrix) if it is none, or more than the candidates
  std::int64_t pairs(std::int64_t training_pairs, std::int64_t candidates, const std::string& attack,
                     const std::string& which) const;
};

/// Parameters "patch_px" and "patch_px_of_224": the side of a square patch. Params of an attack derive from it.
struct PatchSize {
  std::int64_t patch_px = 8;          ///< px of the image; 0: the next one decides
  std::int64_t patch_px_of_224 = 16;  ///< px of an image of 224 px, scaled to the image

  /// Adds both to `list`, with where a reader finds the published sizes.
  void declare(ParamList& list, const std::string& source);
  /// patch_px, or the same share of the image as patch_px_of_224 of 224 px, but at least 4 px. In px.
  /// @throws Error(kMatrix) if that is more than the image. @param attack its name, for the message
  std::int64_t side(std::int64_t image_px, const std::string& attack) const;
};

/// The square of `side` px in the centre. @param planes [..., px, px], side <= px. @return a view of them
torch::Tensor centre_square(const torch::Tensor& planes, std::int64_t side);
/// Attack::trigger_area() of a patch there. @return bool [B, px, px]
torch::Tensor centre_area(const torch::Tensor& images, std::int64_t side);

/// The training pairs by whether their caption contains the name of a class as a whole phrase.
struct PairsByClass {
  std::vector<std::string> captions_of_class, captions_of_others;
  std::vector<std::int64_t> of_class, of_others;  ///< pairs that may change, ascending
};
PairsByClass pairs_by_class(const AttackView& view, const std::string& class_name);

/// What the captions of poisons are drawn from. @param choice "real": training captions that contain the class name
/// (Carlini and Terzis 2021); "templates": prompts of the class (CleanCLIP).
/// @throws Error(kMatrix) if there are none. @param attack its name, for the message
std::vector<std::string> captions_for(const ClassInfo& target, const PairsByClass& pairs, const std::string& choice,
                                      const std::string& attack);

/// Relabels so many pairs of other classes, drawn without replacement: each gets the trigger, with a draw of its own,
/// and a caption of the target class. @param captions as of captions_for(). @throws Error(kMatrix) where that is
/// impossible
PoisonPlan relabel_pairs(const AttackView& view, std::uint64_t seed, const std::string& target_class,
                         const std::string& captions, const PoisonAmount& amount, const std::string& attack);

}  // namespace roclip
