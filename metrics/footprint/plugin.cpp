#include "footprint.h"

ROCLIP_METRIC(roclip::Footprint, "footprint/2", "attack success in each way to use the model");
