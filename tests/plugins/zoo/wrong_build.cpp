#include "foreign.h"

extern "C" __attribute__((visibility("default"))) const char roclip_stamp[];
__attribute__((used)) const char roclip_stamp[] = ROCLIP_STAMP_MARK "abi " ROCLIP_STRINGIFY(
    ROCLIP_ABI) "\nbuild torch-0.1/another-compiler\nkind kAttack\nid wrong_build/1\nsummary must be refused\n";

FOREIGN_PLUGIN(::roclip::kAbi, "torch-0.1/another-compiler", "wrong_build/1");
