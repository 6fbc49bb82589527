#include "roclip/defense.h"

/// Plain CLIP and then a stage of its own that changes nothing: the first is trained once for both.
class Repairs final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Repairs(Params) {}
  std::vector<roclip::Stage> stages(const roclip::Stage& training) const override {
    auto plain = training, repair = training;
    plain.plain = true;
    repair.name = "repair";
    repair.epochs = 1;
    repair.learning_rate = 0;
    return {plain, repair};
  }
};

ROCLIP_DEFENSE(Repairs, "repairs/1", "plain CLIP and a repair that does nothing")
