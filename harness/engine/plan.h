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

/// What can be known before training once the data is. @param pairs of the training set. @param held_out labelled
/// images. @throws Error(kMatrix) for a batch size above the pairs, and for a metric whose parameters do not fit each
/// other, or that needs labelled images where there are none
void expect_data_fits(const std::vector<Cell>& cells, std::int64_t pairs, std::int64_t held_out, const Matrix& matrix,
                      const Registry& registry);

}  // namespace roclip::bench
