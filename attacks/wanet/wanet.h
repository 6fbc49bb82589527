/// Backdoor by a warp (Nguyen and Tran 2021, arXiv 2102.10369): images whose pixels a smooth field moves by a fraction
/// of a pixel or two, and whose captions speak of one class.
#pragma once

#include <cstdint>
#include <string>

#include "roclip/backdoor.h"

namespace roclip {

struct WanetParams : PoisonAmount {
  std::string target_class;
  std::string captions = "real";
  std::int64_t k = 4;
  double s = 8;
  double grid_rescale = 1;
  double noise_ratio = 0;

  void declare(ParamList& list);
};

/// The top bit of Draw::value, on a training pair: the image is warped by the field and, on top, by a noise that is
/// drawn from the value. Such a pair keeps its caption, and teaches the model that only the exact warp means the
/// target. Test images have no noise, whatever the bit.
inline constexpr std::uint64_t kWarpNoise = std::uint64_t{1} << 63;

/// What moves: k x k control points, uniform in [-1, 1] and divided by their mean absolute value, then interpolated to
/// all pixels by bicubic splines. The same at every call, on every machine. k is cut at image_px, where each pixel is a
/// control point. @return f64 [px, px, 2], x and y
torch::Tensor warp_field(std::int64_t k, std::int64_t image_px);

class Wanet : public Attack {
 public:
  using Params = WanetParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set.
  explicit Wanet(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;

 private:
  Params params_;
};

}  // namespace roclip
