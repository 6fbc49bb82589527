#include "zero_shot.h"

ROCLIP_METRIC(roclip::ZeroShot, "zero_shot/1", "held-out images whose class has the nearest prompts");
