#include "local_outlier.h"

ROCLIP_DEFENSE(roclip::LocalOutlierDefense, "local_outlier/1",
               "drops pairs in sparse neighbourhoods and trains again (DAO, SLOF, k-distance; ICLR 2025)")
