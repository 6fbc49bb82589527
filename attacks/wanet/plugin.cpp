#include "wanet.h"

ROCLIP_ATTACK(roclip::Wanet, "wanet/1", "a smooth warp of training images whose captions speak of the target class");
