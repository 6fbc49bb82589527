#include <vector>

#include "roclip/defense.h"

/// Allocates and touches memory until there is none.
class EatsMemory final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit EatsMemory(Params) {}
  void after_step(roclip::TrainContext&) override {
    for (;;) eaten_.emplace_back(std::size_t{1} << 22, 'x');
  }

 private:
  std::vector<std::vector<char>> eaten_;
};

ROCLIP_DEFENSE(EatsMemory, "eats_memory/1", "allocates without end after the first step")
