#include "random_filter.h"

ROCLIP_DEFENSE(roclip::RandomFilterDefense, "random_filter/1",
               "drops random pairs and trains again: the control of every filter")
