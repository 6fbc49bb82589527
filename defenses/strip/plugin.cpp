#include "strip.h"

ROCLIP_DEFENSE(roclip::StripDefense, "strip/1", "at test time: inputs whose class survives whatever is laid over them")
