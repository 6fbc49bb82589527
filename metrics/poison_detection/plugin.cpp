#include "poison_detection.h"

ROCLIP_METRIC(roclip::PoisonDetection, "poison_detection/1", "how well a defense tells poisons from clean pairs");
