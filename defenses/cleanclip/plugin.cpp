#include "cleanclip.h"

ROCLIP_DEFENSE(roclip::CleanClipDefense, "cleanclip/1",
               "fine-tunes the poisoned model on a clean subset, with self-supervision (CleanCLIP, ICCV 2023)")
