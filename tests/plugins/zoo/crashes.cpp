#include <csignal>

#include "roclip/defense.h"

/// Ends the process in the middle of training.
class Crashes final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Crashes(Params) {}
  void after_step(roclip::TrainContext&) override { std::raise(SIGSEGV); }
};

ROCLIP_DEFENSE(Crashes, "crashes/1", "a segmentation fault after the first step")
