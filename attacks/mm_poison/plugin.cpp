#include "mm_poison.h"

ROCLIP_ATTACK(roclip::MmPoison, "mm_poison/1", "captions of one class on images of another, without a trigger");
