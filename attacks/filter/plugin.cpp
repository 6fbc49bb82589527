#include "filter.h"

ROCLIP_ATTACK(roclip::Filter, "filter/1",
              "the colours of an old photograph on training images whose captions speak of the target class");
