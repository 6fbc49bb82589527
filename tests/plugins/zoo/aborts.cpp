#include <cstdio>
#include <cstdlib>

#include "roclip/defense.h"

/// Ends the process by abort(), after a last word.
class Aborts final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit Aborts(Params) {}
  void after_step(roclip::TrainContext&) override {
    std::puts("these are my last words");
    std::fflush(stdout);
    std::abort();
  }
};

ROCLIP_DEFENSE(Aborts, "aborts/1", "abort() after the first step")
