#define CATCH_CONFIG_RUNNER
#include <torch/types.h>
#include <torch/utils.h>
#include <catch2/catch.hpp>

int main(int argc, char** argv) {
  at::set_num_threads(1);  // as in a cell: the same bits twice
  return Catch::Session().run(argc, argv);
}
