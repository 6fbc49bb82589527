// As plugins were before they had stamps: only the descriptor says that it does not fit.
#include "foreign.h"

FOREIGN_PLUGIN(::roclip::kAbi + 1, ::roclip::kBuildId, "no_stamp/1");
