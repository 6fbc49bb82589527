/// The engine's part of `roclip-bench doctor`.
#pragma once

#include "roclip/params.h"

namespace roclip::bench {

/// Looks at LibTorch, its BLAS, the processor, GPUs, plugins and data sets. Prints kFindings and
/// findings (harness/record/finding.h) as JSON, on a line of their own.
/// @param task {"task": "doctor", "plugin_path": [...]}. @return 0
int doctor(const Json& task);

/// Speed of [m, k] x [k, n] in f32, with as many threads as LibTorch has.
double sgemm_gflops(std::int64_t m, std::int64_t n, std::int64_t k);

}  // namespace roclip::bench
