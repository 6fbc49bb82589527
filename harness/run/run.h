/// `roclip-bench run`: all cells of a matrix, each in a worker.
#pragma once

#include <filesystem>

#include "harness/run/worker.h"

namespace roclip::bench {

struct RunOptions {
  std::filesystem::path matrix;
  std::filesystem::path out;  ///< empty: "out" beside the matrix file
  std::vector<std::filesystem::path> plugin_path;
  std::string device = "auto";
  std::int64_t jobs = 0;  ///< 0: one a core on the CPU, one on a GPU
  bool rerun = false;     ///< also cells that are done
};

/// Runs what is not done yet, writes results.json after every cell, prints the grid. One failing cell never stops the
/// others. @return 0, or 10 if some cell did not end ok. @throws Error before anything is run
int run_matrix(const RunOptions& options);

}  // namespace roclip::bench
