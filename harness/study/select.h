/// Selecting some of the cells of a study.
#pragma once

#include <string>
#include <vector>

#include "harness/record/cell.h"

namespace roclip::bench {

/// The cells that `--only` names. A selector is a list of terms joined by commas, all of which must hold:
/// attack=<row or plugin>, defense=<column or plugin>, seed=<n>, or the beginning of an id. A label may hold commas
/// itself: attack=targeted, strong,seed=1. A cell is selected if any of several selectors selects it.
/// @return in their order; all cells if there are no selectors. @throws Error(kUsage) for an unknown term,
/// Error(kEmpty) for a selector that selects nothing
std::vector<const Cell*> select(const std::vector<Cell>& cells, const std::vector<std::string>& selectors);

}  // namespace roclip::bench
