#include "clip_ssl.h"

ROCLIP_DEFENSE(roclip::ClipSslDefense, "clip_ssl/1",
               "CLIP with self-supervision in each modality, from scratch (CLIP + SSL; SLIP, ECCV 2022)")
