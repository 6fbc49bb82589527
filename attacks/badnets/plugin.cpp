#include "badnets.h"

ROCLIP_ATTACK(roclip::Badnets, "badnets/2", "a patch on training images whose captions speak of the target class");
