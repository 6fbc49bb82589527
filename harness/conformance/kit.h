/// `roclip-bench plugin test`: holds one plugin to its contract, each check in a process of its own.
#pragma once

#include "roclip/params.h"

namespace roclip::bench::conformance {

/// Prints a report, as text or JSON.
/// @param task {"task": "plugin test", "plugin": a file, or a name or id on the search path, "params": {...}, "accept":
/// [names of checks], "only": [names of checks], "limit_s": of each check, "plugin_path", "json"}
/// @return 0 if no check failed that is not accepted, else 5. @throws Error(kUsage), Error(kPlugin)
int plugin_test(const Json& task);

}  // namespace roclip::bench::conformance
