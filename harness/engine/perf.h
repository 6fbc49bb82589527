/// How fast this machine runs what a cell is made of, and what part of what it could do that is.
#pragma once

#include "roclip/params.h"

namespace roclip::bench {

/// Measures in one process, single-threaded, in rounds that visit every part, so that a noisy neighbour disturbs all
/// parts alike: the machine (sgemm, memory), training steps of the tiny model under several defenses by phase, the
/// optimizer against LibTorch's, evaluation and checkpoint. Prints medians and ratios.
/// @param task {"task": "perf", "plugin_path", "json": bool, "rounds": n} @return exit code. @throws Error
int perf(const Json& task);

}  // namespace roclip::bench
