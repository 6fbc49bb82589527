#include "roclip/plugin.h"

extern "C" __attribute__((visibility("default"))) const char roclip_stamp[];
__attribute__((used)) const char roclip_stamp[] = ROCLIP_STAMP_MARK "abi " ROCLIP_STRINGIFY(
    ROCLIP_ABI) "\nbuild torch-0.1/another-compiler\nkind kAttack\nid wrong_build/1\nsummary must be refused\n";

extern "C" __attribute__((visibility("default"))) const ::roclip::PluginDescriptor roclip_plugin;
const ::roclip::PluginDescriptor roclip_plugin = {
    .abi = ::roclip::kAbi,
    .build_id = "torch-0.1/another-compiler",
    .kind = ::roclip::PluginKind::kAttack,
    .id = "wrong_build/1",
    .summary = "must be refused",
    .describe = nullptr,
    .effective = nullptr,
    .make_attack = nullptr,
    .make_defense = nullptr,
    .make_metric = nullptr,
};
