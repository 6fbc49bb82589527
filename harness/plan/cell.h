/// What is run: one cell of a matrix.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/config/matrix.h"

namespace roclip::bench {

/// One training run and its evaluation.
struct Cell {
  std::string id;       ///< "targeted-roclip-s1-3f9a2c1b": readable front, hash of `config` behind
  std::string attack;   ///< row of the grid
  std::string defense;  ///< column of the grid
  std::int64_t seed = 0;
  Json requested;       ///< the parameters as written, sweeps resolved
  Json config;          ///< canonical and fully defaulted; everything that can change a number, and nothing else
  Limits limits;        ///< what its worker may use
  std::string refused;  ///< why it cannot run: a plugin that did not pass the handshake; "" = it can
};

Json to_json(const Cell& cell);
Cell cell_from_json(const Json& json);
/// All of them in their order; neighbours that differ by their seed only are written once.
Json cells_to_json(const std::vector<Cell>& cells);
std::vector<Cell> cells_from_json(const Json& groups);

/// "targeted x roclip, seed 1"
std::string cell_name(const Cell& cell);

/// The cells that `--only` names. A selector is a list of terms joined by commas, all of which must hold:
/// attack=<row or plugin>, defense=<column or plugin>, seed=<n>, or the beginning of an id. Of several selectors, one.
/// @return in their order; all cells if there are no selectors. @throws Error(kUsage) for an unknown term,
/// Error(kEmpty) when nothing is left
std::vector<const Cell*> select(const std::vector<Cell>& cells, const std::vector<std::string>& selectors);

}  // namespace roclip::bench
