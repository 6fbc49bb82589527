#include "roclip/plugin.h"

extern "C" __attribute__((visibility("default"))) const char roclip_stamp[];
__attribute__((used)) const char roclip_stamp[] =
    ROCLIP_STAMP_MARK "abi 999\nbuild " ROCLIP_BUILD_ID "\nkind kAttack\nid wrong_abi/1\nsummary must be refused\n";

extern "C" __attribute__((visibility("default"))) const ::roclip::PluginDescriptor roclip_plugin;
const ::roclip::PluginDescriptor roclip_plugin = {
    .abi = 999,
    .build_id = ::roclip::kBuildId,
    .kind = ::roclip::PluginKind::kAttack,
    .id = "wrong_abi/1",
    .summary = "must be refused",
    .describe = nullptr,
    .effective = nullptr,
    .make_attack = nullptr,
    .make_defense = nullptr,
    .make_metric = nullptr,
};
