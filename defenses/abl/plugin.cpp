#include "abl.h"

ROCLIP_DEFENSE(roclip::AblDefense, "abl/1",
               "isolates the pairs that are learned first and unlearns them (anti-backdoor learning, NeurIPS 2021)")
