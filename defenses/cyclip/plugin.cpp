#include "cyclip.h"

ROCLIP_DEFENSE(roclip::CyclipDefense, "cyclip/1",
               "CLIP with symmetric similarities within and between modalities (CyCLIP, NeurIPS 2022)")
