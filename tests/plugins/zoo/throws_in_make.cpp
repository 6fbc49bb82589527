#include <stdexcept>

#include "roclip/defense.h"

/// Cannot be made.
class ThrowsInMake final : public roclip::Defense {
 public:
  using Params = roclip::NoParams;
  explicit ThrowsInMake(Params) { throw std::runtime_error("thrown in the constructor"); }
};

ROCLIP_DEFENSE(ThrowsInMake, "throws_in_make/1", "throws when it is made")
