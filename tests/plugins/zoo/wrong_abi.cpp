#include "foreign.h"

extern "C" __attribute__((visibility("default"))) const char roclip_stamp[];
__attribute__((used)) const char roclip_stamp[] =
    ROCLIP_STAMP_MARK "abi 999\nbuild " ROCLIP_BUILD_ID "\nkind kAttack\nid wrong_abi/1\nsummary must be refused\n";

FOREIGN_PLUGIN(999, ::roclip::kBuildId, "wrong_abi/1");
