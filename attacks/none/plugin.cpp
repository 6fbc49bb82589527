#include "none.h"

ROCLIP_ATTACK(roclip::NoAttack, "none/1", "no attack: the clean control");
