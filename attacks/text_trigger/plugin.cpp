#include "text_trigger.h"

ROCLIP_ATTACK(roclip::TextTrigger, "text_trigger/1",
              "a rare word in captions of other classes, on training images of the target class");
