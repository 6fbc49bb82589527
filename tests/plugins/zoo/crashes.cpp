#include <csignal>

#include "roclip/defense.h"

/// Ends the process in the middle of training.
class Crashes final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Crashes(Params) {}
  void after_step(roclip::TrainContext&) override {
    std::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would turn it into an exit code
    std::raise(SIGSEGV);
  }
};

ROCLIP_DEFENSE(Crashes, "crashes/1", "a segmentation fault after the first step")
