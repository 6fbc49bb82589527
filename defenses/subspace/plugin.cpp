#include "subspace.h"

ROCLIP_DEFENSE(roclip::SubspaceDefense, "subspace/1",
               "at test time: inputs that are far from the subspace of the prompts of their class")
