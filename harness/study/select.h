/// Selecting some of the cells of a study.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "harness/record/cell.h"

namespace roclip::bench {

/// The cells that `--only` names. A selector is a list of terms joined by commas, all of which must hold:
/// attack=<row or plugin>, defense=<column or plugin>, seed=<n>, or the beginning of an id. A label may hold commas
/// itself: attack=targeted, strong,seed=1. A name that a row has selects that row alone, though it is the plugin of
/// others, too; the plugin's id, attack=targeted/1, selects them all. A cell is selected if any of several selectors
/// selects it.
/// @return in their order; all cells if there are no selectors. @throws Error(kUsage) for an unknown term,
/// Error(kEmpty) for a selector that selects nothing
std::vector<const Cell*> select(const std::vector<Cell>& cells, const std::vector<std::string>& selectors);

/// How many groups of cells share no training: more parts than these would be empty. @param trainings as in shard_of()
std::size_t most_shards(const std::vector<const Cell*>& cells, const std::map<std::string, std::string>& trainings);

/// One of several parts of a run.
struct Shard {
  std::size_t index = 1, count = 1;  ///< 1 <= index <= count
};
/// The cells of a part, in their order: each cell is in one of the parts, which depend on nothing but the cells. Cells
/// that share a training stay together.
/// @param trainings cell id -> key of what it shares; a cell without one shares nothing
std::vector<const Cell*> shard_of(const std::vector<const Cell*>& cells,
                                  const std::map<std::string, std::string>& trainings, Shard shard);

}  // namespace roclip::bench
