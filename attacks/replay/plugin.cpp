#include "replay.h"

ROCLIP_ATTACK(roclip::Replay, "replay/1", "the stored poisons of another attack, exactly as they were");
