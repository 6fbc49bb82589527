#define USE_C10D_NCCL  // LibTorch's headers ask for it; its libraries have it
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "harness/model/nccl.h"

using namespace roclip::bench;

extern "C" c10::intrusive_ptr<CollectiveBackend> roclip_bench_make_nccl(const c10::intrusive_ptr<c10d::Store>& store,
                                                                        int rank, int size,
                                                                        std::chrono::milliseconds patience) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = patience;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
}
