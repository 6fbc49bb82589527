#include "linear_probe.h"

ROCLIP_METRIC(roclip::LinearProbe, "linear_probe/1", "accuracy of logistic regression on frozen image features");
