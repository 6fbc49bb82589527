#include "multi_trigger.h"

ROCLIP_ATTACK(roclip::MultiTrigger, "multi_trigger/1",
              "one of several triggers on each poison, for one target class or one each");
