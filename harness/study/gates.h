/// The "gates" of a matrix file: what the results of a study must show, for CI.
///
///     {"metric": "my_metric", "where": {"attack": "my_attack", "defense": "my_defense"}, "at_most": 0.1}
///     {"metric": "my_accuracy", "where": {...}, "at_least": 0.2}
///     {"metric": "my_accuracy", "where": {...}, "not_worse_than": {"baseline": "reference/", "margin": 0.05}}
///
/// with "confidence" (0.95 where it is not given) and, for an attack's success with an upper limit, "attack_works": the
/// share in which the attack must succeed against the study's first defense (0.8; 0 = not asked), so that an attack
/// that stopped working does not pass as a better defense.
#pragma once

#include <string>
#include <vector>

#include "harness/record/cell.h"
#include "roclip/params.h"

namespace roclip::bench {

struct Gate {
  enum class Kind { kAtMost, kAtLeast, kNotWorseThan };

  std::string metric;           ///< name, with or without its revision
  std::string attack, defense;  ///< row and column of the grid
  Kind kind = Kind::kAtMost;
  double limit = 0;           ///< share; for kNotWorseThan the margin
  std::string baseline = {};  ///< output folder or results.json, as written
  double confidence = 0.95;
  double attack_works = 0.8;

  /// "attack_success of badnets x roclip at most 10 %"
  std::string text() const;
};

/// @param where of the array, for messages. @throws Error(kMatrix)
std::vector<Gate> read_gates(const Json& gates, const std::string& where);

/// So that a misspelt gate is found before hours of training. @param where of the array. @pre cells are not empty
/// @throws Error(kMatrix) for a gate whose metric, attack or defense none of the cells has
void expect_gates_fit(const std::vector<Gate>& gates, const std::vector<Cell>& cells, const std::string& where);

}  // namespace roclip::bench
