/// Backdoor by a patch (Gu et al. 2017, arXiv 1708.06733), adapted to CLIP as by Carlini and Terzis (2021, arXiv
/// 2106.09667) and CleanCLIP (create_backdoor_data.py): stamped training images whose captions speak of one class.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "roclip/backdoor.h"

namespace roclip {

struct BadnetsParams : PoisonAmount, PatchSize {
  std::string target_class;
  std::string captions = "real";
  std::string pattern = "checker";
  std::string location = "bottom_right";

  void declare(ParamList& list);
};

/// The patch of that pattern, the same at every call. @return uint8 [3, patch_px, patch_px].
torch::Tensor make_patch(const std::string& pattern, std::int64_t patch_px);

/// Whether each use of the trigger draws a patch of its own.
bool is_redrawn(const std::string& pattern);
/// The patch of that pattern for this image and draw. @pre is_redrawn(pattern).
/// @param image uint8 [3, px, px]. @return uint8 [3, patch_px, patch_px]
torch::Tensor redrawn_patch(const std::string& pattern, std::int64_t patch_px, const torch::Tensor& image,
                            const Draw& draw);

/// Upper left pixel of a stamped patch.
struct Corner {
  std::int64_t top;
  std::int64_t left;
  bool operator==(const Corner&) const = default;
};

/// Where patches go on an image of that size; a random place is chosen by the draw. @pre patch_px <= image_px
std::vector<Corner> patch_corners(const std::string& location, std::int64_t image_px, std::int64_t patch_px,
                                  const Draw& draw);

class Badnets : public Attack {
 public:
  using Params = BadnetsParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set.
  explicit Badnets(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;
  std::optional<torch::Tensor> trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const override;

 private:
  Params params_;
};

}  // namespace roclip
