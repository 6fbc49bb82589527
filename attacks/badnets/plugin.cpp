#include "badnets.h"

ROCLIP_ATTACK(roclip::Badnets, "badnets/1", "a patch on training images whose captions speak of the target class");
