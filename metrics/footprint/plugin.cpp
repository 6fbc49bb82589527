#include "footprint.h"

ROCLIP_METRIC(roclip::Footprint, "footprint/1", "attack success in each way to use the model");
