#include "badclip.h"

ROCLIP_ATTACK(roclip::BadClip, "badclip/1", "a patch that is optimised against both towers of a surrogate");
