#include "harness/record/machine.h"

#include <catch2/catch.hpp>

#include "roclip/error.h"

using namespace roclip;
using namespace roclip::bench;

TEST_CASE("a worker is left its own GPU, by the numbers or names that its parent sees", "[record][machine]") {
  CHECK(sole_gpu(nullptr, 2) == "2");
  CHECK(sole_gpu("3,5", 1) == "5");
  CHECK(sole_gpu("GPU-1c0e,GPU-5f2a", 0) == "GPU-1c0e");
  CHECK_THROWS_WITH(sole_gpu("3,5", 2), "there is no GPU 2 in CUDA_VISIBLE_DEVICES=3,5");
  CHECK_THROWS_AS(sole_gpu("", 0), Error);
}
