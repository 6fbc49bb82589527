/// The control: nothing is poisoned, nothing counts as a success.
#pragma once

#include "roclip/attack.h"

namespace roclip {

class NoAttack : public Attack {
 public:
  using Params = NoParams;
  explicit NoAttack(const Params&) {}

  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
};

}  // namespace roclip
