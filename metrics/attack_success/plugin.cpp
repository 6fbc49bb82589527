#include "attack_success.h"

ROCLIP_METRIC(roclip::AttackSuccess, "attack_success/1", "images classified as the attacker wants");
