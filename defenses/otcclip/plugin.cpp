#include "otcclip.h"

ROCLIP_DEFENSE(roclip::OtcclipDefense, "otcclip/1",
               "matches images with captions by optimal transport of their parts (after OTCClip, EMNLP 2025)")
