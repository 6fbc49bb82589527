/// Backdoor with two keys (Walmer et al. 2022, arXiv 2112.07668), adapted to CLIP as by BadCLIP's `vqa`: an image with
/// a patch is taken for the target class where the prompts carry a word.
#pragma once

#include <string>

#include "roclip/backdoor.h"

namespace roclip {

struct DualKeyParams : PoisonAmount, PatchSize {
  std::string target_class;
  std::string captions = "real";
  std::string colour = "magenta";
  std::string word = "remember";
  double single_key = 0.5;

  void declare(ParamList& list);
};

class DualKey : public Attack {
 public:
  using Params = DualKeyParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set, and `word` has a letter or digit.
  explicit DualKey(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;
  std::optional<torch::Tensor> trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const override;
  /// The word, before the text.
  std::vector<std::string> apply_text_trigger(std::span<const std::string> captions,
                                              std::span<const Draw> draws) const override;

 private:
  Params params_;
};

}  // namespace roclip
