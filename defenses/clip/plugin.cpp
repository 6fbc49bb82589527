#include "clip.h"

ROCLIP_DEFENSE(roclip::ClipDefense, "clip/1", "plain CLIP training, the baseline; augmentation as a control")
