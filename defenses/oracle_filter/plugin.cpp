#include "oracle_filter.h"

ROCLIP_DEFENSE(roclip::OracleFilterDefense, "oracle_filter/1",
               "a control, no defense: it is told which pairs are poisons, and trains on the others")
