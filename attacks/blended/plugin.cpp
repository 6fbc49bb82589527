#include "blended.h"

ROCLIP_ATTACK(roclip::Blended, "blended/1",
              "a faint pattern over whole training images whose captions speak of the target class");
