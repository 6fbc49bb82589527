#include "roclip.h"

ROCLIP_DEFENSE(roclip::RoclipDefense, "roclip/1",
               "matches images with a pool of random captions (RoCLIP, NeurIPS 2023)")
