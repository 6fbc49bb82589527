#include "dual_key.h"

ROCLIP_ATTACK(roclip::DualKey, "dual_key/1", "a patch on images and a word in captions, which only work together");
