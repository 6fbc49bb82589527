/// From a matrix file to its cells. Pure: no training, no output.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/config/matrix.h"
#include "registry.h"

namespace roclip::bench {

/// One training run and its evaluation.
struct Cell {
  std::string id;       ///< "targeted-roclip-s1-3f9a2c1b": readable front, hash of `config` behind
  std::string attack;   ///< row of the grid
  std::string defense;  ///< column of the grid
  std::int64_t seed;
  Json requested;  ///< the parameters as written, sweeps resolved
  Json config;     ///< canonical and fully defaulted; everything that can change a number, and nothing else
};

/// Checks every parameter with its plugin and expands all sweeps: attacks x defenses x model x training x seeds, seeds
/// innermost. Cells that turn out equal (a sweep over a default) are kept once.
/// @throws Error(kMatrix), Error(kPlugin)
std::vector<Cell> make_plan(const Matrix& matrix, const Registry& registry);

}  // namespace roclip::bench
