/// `roclip-bench doctor`: is everything here that a run needs?
#pragma once

#include "harness/app/commands.h"

namespace roclip::bench {

/// Looks at the machine, lets the engine look at LibTorch, plugins and data, and prints a line for each thing, with
/// what to do unless it is well. Works, too, where the engine cannot be started.
/// @return 0, or the exit code that the first failing thing would give to a run
int doctor_command(const Paths& plugin_path, bool json);

}  // namespace roclip::bench
