#include "targeted.h"

ROCLIP_ATTACK(roclip::Targeted, "targeted/1", "chosen held-out images, each added with captions of a wrong class");
