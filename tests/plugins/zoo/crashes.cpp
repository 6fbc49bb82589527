#include <csignal>

#include "roclip/defense.h"

/// Dereferences a null pointer in the middle of training.
class Crashes final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Crashes(Params) {}
  __attribute__((no_sanitize("address", "undefined"))) void after_step(roclip::TrainContext&) override {
    std::signal(SIGSEGV, SIG_DFL);  // a sanitizer's handler would turn it into an exit code
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
  }
};

ROCLIP_DEFENSE(Crashes, "crashes/1", "a null dereference after the first step")
