#include "calibration.h"

ROCLIP_METRIC(roclip::Calibration, "calibration/1", "how far zero-shot confidence is from accuracy");
