#include "sig.h"

ROCLIP_ATTACK(roclip::Sig, "sig/1",
              "a wave of brightness over training images whose captions speak of the target class");
