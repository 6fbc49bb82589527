#include "roclip/plugin.h"

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
