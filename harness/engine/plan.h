/// From a matrix file to its cells. Pure: no training, no output.
#pragma once

#include <vector>

#include "harness/record/cell.h"
#include "harness/study/matrix.h"
#include "registry.h"

namespace roclip::bench {

/// Checks every parameter with its plugin and expands all sweeps: attacks x defenses x model x training x seeds, seeds
/// innermost. Cells that turn out equal (a sweep over a default) are kept once. A plugin whose file is there but was
/// refused gives cells with a `refused` reason; the others can run without it.
/// @throws Error(kMatrix), Error(kPlugin)
std::vector<Cell> make_plan(const Matrix& matrix, const Registry& registry);

}  // namespace roclip::bench
