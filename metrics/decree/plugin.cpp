#include "decree.h"

ROCLIP_METRIC(roclip::Decree, "decree/1", "how small a patch makes all images alike (DECREE, CVPR 2023)");
