#include "par.h"

ROCLIP_DEFENSE(roclip::ParDefense, "par/1",
               "fine-tunes on a clean subset and away from the poisoned model's embeddings (Perturb and Recover)")
