/// Commands that need plugins or data but train nothing: they print, and return an exit code. Each throws Error.
#pragma once

#include "roclip/params.h"

namespace roclip::bench {

/// @param task {"task": "plugin list", "plugin_path": [...], "json": bool}
int plugin_list(const Json& task);
/// @param task {"task": "plugin info", "plugin": "badnets" or "badnets/1", of any kind, "plugin_path", "json"}
int plugin_info(const Json& task);
/// @param task {"task": "data prepare", "data": "emoji" or a matrix file, whose data is then meant}
int data_prepare(const Json& task);
/// @param task {"task": "data list", "json": bool}
int data_list(const Json& task);
/// @param task {"task": "data show", "data", "split", "count", "seed", "png"}
int data_show(const Json& task);

}  // namespace roclip::bench
