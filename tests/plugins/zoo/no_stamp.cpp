// As plugins were before they had stamps: only the descriptor says that it does not fit.
#include "roclip/plugin.h"

extern "C" __attribute__((visibility("default"))) const ::roclip::PluginDescriptor roclip_plugin;
const ::roclip::PluginDescriptor roclip_plugin = {
    .abi = ::roclip::kAbi + 1,
    .build_id = ::roclip::kBuildId,
    .kind = ::roclip::PluginKind::kAttack,
    .id = "no_stamp/1",
    .summary = "must be refused",
    .describe = nullptr,
    .effective = nullptr,
    .make_attack = nullptr,
    .make_defense = nullptr,
    .make_metric = nullptr,
};
