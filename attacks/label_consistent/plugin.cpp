#include "label_consistent.h"

ROCLIP_ATTACK(roclip::LabelConsistent, "label_consistent/1",
              "a patch on training images of the target class, under their own captions");
