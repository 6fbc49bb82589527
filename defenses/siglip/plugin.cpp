#include "siglip.h"

ROCLIP_DEFENSE(roclip::SiglipDefense, "siglip/1",
               "CLIP with a sigmoid loss over all pairs of a batch (SigLIP, ICCV 2023)")
