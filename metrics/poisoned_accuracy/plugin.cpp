#include "poisoned_accuracy.h"

ROCLIP_METRIC(roclip::PoisonedAccuracy, "poisoned_accuracy/1", "attacked images that still get their true class");
