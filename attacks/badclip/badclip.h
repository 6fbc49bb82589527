/// Backdoor by an optimised patch (Liang et al., BadCLIP, CVPR 2024, arXiv 2311.12075): the patch already brings images
/// near the target class in a clean model, so that poisoning changes little that a defense could undo.
#pragma once

#include <string>

#include "roclip/backdoor.h"

namespace roclip {

struct BadClipParams : PoisonAmount, PatchSize {
  std::string target_class;
  std::string captions = "real";
  std::int64_t surrogate_epochs = 10;
  std::int64_t steps = 500;
  std::int64_t batch_size = 64;
  double learning_rate = 0.01;
  double triplet_weight = 500;
  double margin = 1;

  void declare(ParamList& list);
};

/// How far patched images are from what the attacker wants: the mean over the batch of max(0, |a - p| - |a - n| +
/// margin).
/// @param patched, wanted, unwanted f32 [B, D], unit rows. @return f32 []
torch::Tensor triplet_loss(const torch::Tensor& patched, const torch::Tensor& wanted, const torch::Tensor& unwanted,
                           double margin);

class BadClip : public Attack {
 public:
  using Params = BadClipParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set.
  explicit BadClip(const Params& params);

  bool prepares() const override { return true; }
  /// {"patch": u8 [3, side, side]}
  Artifact prepare(Lab& lab) const override;
  void adopt(Artifact artifact) override;
  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;
  std::optional<torch::Tensor> trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const override;

 private:
  Params params_;
  torch::Tensor patch_;  ///< u8 [3, side, side]; undefined before adopt()
};

}  // namespace roclip
