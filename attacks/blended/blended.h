/// Backdoor by a faint pattern over the whole image (Chen et al. 2017, arXiv 1712.05526), adapted to CLIP as by
/// CleanCLIP: training images mixed with a pattern, whose captions speak of one class.
#pragma once

#include <cstdint>
#include <string>

#include "roclip/backdoor.h"

namespace roclip {

struct BlendedParams : PoisonAmount {
  std::string target_class;
  std::string captions = "real";
  std::string pattern = "picture";
  double alpha = 0.2;
  std::int64_t grain_px = 0;

  void declare(ParamList& list);
};

/// What is laid over an image.
struct Overlay {
  torch::Tensor colour;    ///< f64 [3, px, px], 0..255; stripes: -255 or 255
  torch::Tensor coverage;  ///< f64 [px, px], 0..1: the share of a pixel that the pattern covers
};

/// Side of a noise block, width of a stripe, side of a triangle: as many pixels as it has on the 224 px of the papers,
/// scaled to the image and rounded, but at least 1 (triangles: 2).
std::int64_t grain_of(const std::string& pattern, std::int64_t image_px);

/// The pattern for images of that size. @pre grain_px > 0. @param seed what the redrawn ones are drawn from; the others
/// do not use it
Overlay make_overlay(const std::string& pattern, std::int64_t image_px, std::int64_t grain_px, std::uint64_t seed);

class Blended : public Attack {
 public:
  using Params = BlendedParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set, or if the pattern has no grain to set.
  explicit Blended(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;

 private:
  Params params_;
};

}  // namespace roclip
