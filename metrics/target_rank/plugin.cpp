#include "target_rank.h"

ROCLIP_METRIC(roclip::TargetRank, "target_rank/1", "how near attacked images are to the class that is wanted");
