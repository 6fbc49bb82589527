/// What this machine, or the container, lets the program use.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <sys/types.h>

namespace roclip::bench {

/// Infinity if nobody tells.
double machine_memory_mib();
/// Of that, what one process may take where nobody says otherwise.
inline constexpr double kMemoryShare = 0.9;
/// Resident memory of a process; 0 once it has ended.
double resident_mib(pid_t pid);

/// The processors that this process may run on.
std::vector<int> allowed_cpus();

/// What CUDA_VISIBLE_DEVICES has to be for a process that is to see one GPU only, its own: "1", or "GPU-5f2a".
/// @param visible what it is now, "3,5" or "GPU-1c0e,GPU-5f2a"; null: all are seen. @param index of those
/// @throws Error(kUsage) if fewer are visible
std::string sole_gpu(const char* visible, std::size_t index);

/// Tells the BLAS of programs started from here what it wants to know before their main(): one thread, and, unless
/// OPENBLAS_CORETYPE is set, which kernels this processor can run. OpenBLAS goes by a list of models, and takes one
/// that is newer than itself for a Prescott of 2004: five times slower on one with AVX-512 (sgemm 24 instead of 113
/// GFLOP/s).
/// @return whether anything was set that was not yet
bool prepare_blas();

}  // namespace roclip::bench
