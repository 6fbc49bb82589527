/// From a matrix file to its cells. Pure: no training, no output.
#pragma once

#include <vector>

#include "harness/record/cell.h"
#include "harness/study/matrix.h"
#include "registry.h"

namespace roclip::bench {

/// Checks every parameter with its plugin and expands all sweeps: attacks x defenses x model x training x seeds, seeds
/// innermost. A plugin whose file is there but was refused gives cells with a `refused` reason; the others can run
/// without it. @throws Error(kMatrix), also for two cells that turn out to be one configuration (a sweep over a
/// default) and for gates that fit no cell; Error(kPlugin)
std::vector<Cell> make_plan(const Matrix& matrix, const Registry& registry);

/// @param pairs of the training set. @throws Error(kMatrix) for a batch size above it
void expect_batches_fit(const std::vector<Cell>& cells, std::int64_t pairs, const std::string& where);

}  // namespace roclip::bench
