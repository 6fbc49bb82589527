#include <fstream>
#include <stdexcept>

#include <sys/resource.h>

#include "roclip/defense.h"

/// Meets a full disk: a quota on the size of files, set by itself, hits it and every checkpoint after it.
class FillsDisk final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit FillsDisk(Params) {}
  void before_stage(roclip::TrainContext&) override {
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
};

ROCLIP_DEFENSE(FillsDisk, "fills_disk/1", "no file may grow beyond a page")
