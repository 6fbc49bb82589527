/// Backdoor by a sinusoidal signal (Barni, Kallas and Tondi 2019, arXiv 1902.11237), adapted to CLIP as by CleanCLIP:
/// training images whose brightness rises and falls from left to right, and whose captions speak of one class.
#pragma once

#include <cstdint>
#include <string>

#include "roclip/backdoor.h"

namespace roclip {

struct SigParams : PoisonAmount {
  std::string target_class;
  std::string captions = "real";
  std::string mode = "add";
  double delta = 40;
  std::int64_t frequency = 6;

  void declare(ParamList& list);
};

/// delta x sin(2 pi frequency x / px) in column x, the same on every machine. @return f64 [px]
torch::Tensor wave(double delta, std::int64_t frequency, std::int64_t px);

class Sig : public Attack {
 public:
  using Params = SigParams;
  /// @throws Error(kMatrix) unless exactly one of rate and count is set.
  explicit Sig(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;

 private:
  Params params_;
};

}  // namespace roclip
