#include "none.h"

namespace roclip {

PoisonPlan NoAttack::plan(const AttackView&, std::uint64_t) const { return {}; }

}  // namespace roclip
