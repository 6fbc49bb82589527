/// A descriptor that this program must refuse before it asks for more of it.
#pragma once

#include "roclip/plugin.h"

#define FOREIGN_PLUGIN(ABI, BUILD, ID)                                                              \
  extern "C" __attribute__((visibility("default"))) const ::roclip::PluginDescriptor roclip_plugin; \
  const ::roclip::PluginDescriptor roclip_plugin = {.abi = (ABI),                                   \
                                                    .build_id = (BUILD),                            \
                                                    .kind = ::roclip::PluginKind::kAttack,          \
                                                    .id = (ID),                                     \
                                                    .summary = "must be refused",                   \
                                                    .describe = nullptr,                            \
                                                    .effective = nullptr,                           \
                                                    .make_attack = nullptr,                         \
                                                    .make_defense = nullptr,                        \
                                                    .make_metric = nullptr}
