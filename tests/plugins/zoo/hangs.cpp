#include <unistd.h>

#include "roclip/defense.h"

/// Never returns from a step.
class Hangs final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Hangs(Params) {}
  void after_step(roclip::TrainContext&) override {
    for (;;) ::pause();
  }
};

ROCLIP_DEFENSE(Hangs, "hangs/1", "an infinite loop after the first step")
