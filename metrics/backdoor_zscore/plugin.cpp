#include "backdoor_zscore.h"

ROCLIP_METRIC(roclip::BackdoorZscore, "backdoor_zscore/1", "how much more alike a trigger makes images");
