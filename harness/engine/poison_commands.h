/// `roclip-bench poison ...`. Each prints and returns an exit code, and throws Error.
#pragma once

#include "roclip/params.h"

namespace roclip::bench {

/// @param task {"task": "poison make", "matrix", "out", "only": [...], "plugin_path": [...]}
int poison_make(const Json& task);
/// @param task {"task": "poison inspect", "set", "data": "" or as for `data prepare`, "png", "count", "plugin_path"}
int poison_inspect(const Json& task);
/// @param task {"task": "poison export", "set", "data", "format": "csv" or "webdataset", "out", "plugin_path"}
int poison_export(const Json& task);
/// @param task {"task": "poison import", "set", "data", "plugin_path"}
int poison_import(const Json& task);

}  // namespace roclip::bench
