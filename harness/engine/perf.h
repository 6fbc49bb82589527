/// How fast this machine runs what a cell is made of, and what part of what it could do that is.
#pragma once

#include "roclip/params.h"

namespace roclip::bench {

/// Measures in one process, single-threaded, in rounds that visit every part, so that a noisy neighbour disturbs all
/// parts alike: the machine (multiply-adds, sgemm, memory), training steps of the tiny model under several defenses by
/// phase, each part of a step; then whole runs of a small study with one and two workers. Prints medians, spreads and
/// ratios; with a baseline (an earlier output as JSON) also the change of every ratio and share.
/// @param task {"task": "perf", "plugin_path", "json": bool, "rounds": n, "study": bool, "program": path of
/// roclip-bench, "baseline": path or null}. @return exit code. @throws Error
int perf(const Json& task);

/// Speed of [m, k] x [k, n] in f32, with as many threads as LibTorch has.
double sgemm_gflops(std::int64_t m, std::int64_t n, std::int64_t k);

}  // namespace roclip::bench
