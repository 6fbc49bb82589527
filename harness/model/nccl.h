/// The door to libroclip_nccl.so, which is built where CUDA's and NCCL's headers are and loaded where there is a GPU.
#pragma once

#include <chrono>

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "harness/record/torch_compat.h"

namespace roclip::bench {

/// @return a group over NCCL, for tensors on the GPU of this process
using MakeNccl = c10::intrusive_ptr<CollectiveBackend> (*)(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                                           int size, std::chrono::milliseconds patience);
inline constexpr const char* kMakeNccl = "roclip_bench_make_nccl";

}  // namespace roclip::bench
