#include "roclip/defense.h"

/// Returns a loss that is not a number.
class Diverges final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Diverges(Params) {}
  torch::Tensor step(const roclip::Batch& batch, roclip::TrainContext& context) override {
    return Defense::step(batch, context) * std::numeric_limits<double>::quiet_NaN();
  }
};

ROCLIP_DEFENSE(Diverges, "diverges/1", "a loss that is not a number")
