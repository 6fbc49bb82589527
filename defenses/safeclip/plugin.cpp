#include "safeclip.h"

ROCLIP_DEFENSE(roclip::SafeclipDefense, "safeclip/1",
               "trains on pairs only where image and caption are similar enough (SafeCLIP, ICML 2024)")
