#include <cstdlib>
#include <fstream>

#include <unistd.h>

#include "roclip/defense.h"

/// Starts processes that outlive the worker: one in its process group, one in a session of its own. Their ids go to the
/// file that $ROCLIP_TEST_PIDS names.
class LeavesChild final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit LeavesChild(Params) {}
  void before_stage(roclip::TrainContext&) override {
    for (const bool own_session : {false, true}) {
      const pid_t pid = ::fork();
      if (pid == 0) {
        if (own_session) ::setsid();
        for (;;) ::pause();
      }
      if (const char* file = std::getenv("ROCLIP_TEST_PIDS")) std::ofstream(file, std::ios::app) << pid << "\n";
    }
  }
};

ROCLIP_DEFENSE(LeavesChild, "leaves_child/1", "starts processes that outlive it")
