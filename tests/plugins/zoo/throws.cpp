#include <stdexcept>

#include "roclip/defense.h"

/// Throws in the middle of training.
class Throws final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Throws(Params) {}
  void after_step(roclip::TrainContext&) override { throw std::runtime_error("thrown on purpose"); }
};

ROCLIP_DEFENSE(Throws, "throws/1", "throws after the first step")
