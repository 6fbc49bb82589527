#include "roclip_adaptive.h"

ROCLIP_ATTACK(roclip::RoclipAdaptive, "roclip_adaptive/1",
              "a patch whose poisons survive RoCLIP's matching epochs, by an attacker who knows them");
