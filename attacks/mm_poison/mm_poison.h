/// Data poisoning without a trigger (Yang et al. 2023, arXiv 2209.15266): captions of one class are trained on images
/// of another, so that those images are taken for that class.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "roclip/attack.h"

namespace roclip {

struct MmPoisonParams {
  std::vector<std::string> caption_classes;
  std::vector<std::string> image_classes;
  std::string images = "class";
  double ratio = 1;
  bool remove_clean = false;

  void declare(ParamList& list);
};

class MmPoison : public Attack {
 public:
  using Params = MmPoisonParams;
  /// @throws Error(kMatrix) unless there are as many image classes as caption classes, at least one, all different.
  explicit MmPoison(const Params& params);

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;

 private:
  Params params_;
};

}  // namespace roclip
