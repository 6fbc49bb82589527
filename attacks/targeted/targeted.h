/// Targeted data poisoning of CLIP (Carlini and Terzis 2021, arXiv 2106.09667): a few chosen images, each paired with
/// captions of a class that it does not belong to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "roclip/attack.h"

namespace roclip {

struct TargetedParams {
  std::int64_t targets = 16;
  std::int64_t captions = 20;
  std::vector<std::string> classes;
  std::int64_t images_per_target = 1;
  bool remove_duplicates = false;

  void declare(ParamList& list);
};

/// Per class, the captions that contain its name as a whole phrase (contains_phrase), ascending indices. One pass
/// over the captions, however many classes there are.
std::vector<std::vector<std::int64_t>> captions_by_class(const PairSource& pairs,
                                                         const std::vector<ClassInfo>& classes);

class Targeted : public Attack {
 public:
  using Params = TargetedParams;
  explicit Targeted(const Params& params) : params_(params) {}

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;

 private:
  Params params_;
};

}  // namespace roclip
