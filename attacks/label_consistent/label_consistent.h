/// Backdoor with clean labels (Turner, Tsipras and Madry 2019, arXiv 1912.02771), adapted to CLIP as by CleanCLIP and
/// Detect-CLIP-Backdoor-Samples: a patch on training images whose captions speak of the target class, and keep doing
/// so.
#pragma once

#include <cstdint>
#include <string>

#include "roclip/backdoor.h"

namespace roclip {

struct LabelConsistentParams : PoisonAmount {
  std::string target_class;
  bool cap = false;
  std::int64_t patch_px = 0;
  std::string pattern = "checker";
  std::string location = "bottom_right";

  void declare(ParamList& list);
};

/// Side of a patch: the 16 of 224 px of CleanCLIP, scaled to the image and rounded, but at least 8.
std::int64_t patch_side(std::int64_t image_px);

/// Upper left pixel of a patch.
struct PatchPlace {
  std::int64_t top;
  std::int64_t left;
  bool operator==(const PatchPlace&) const = default;
};

/// Where the patch goes on an image of that size. @pre side <= image_px
PatchPlace patch_place(const std::string& location, std::int64_t image_px, std::int64_t side, const Draw& draw);

/// What the patch shows on an image. @param image uint8 [3, px, px]. @return uint8 [3, side, side], on the CPU
torch::Tensor patch_for(const std::string& pattern, const torch::Tensor& image, std::int64_t side, const Draw& draw);

class LabelConsistent : public Attack {
 public:
  using Params = LabelConsistentParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set.
  explicit LabelConsistent(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;
  std::optional<torch::Tensor> trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const override;

 private:
  std::int64_t side_on(std::int64_t image_px) const;

  Params params_;
};

}  // namespace roclip
