/// How long cells took, over all runs of this user on this machine.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/record/cell.h"

namespace roclip::bench {

/// Kept in `timings.json` in the cache folder. Cells that differ in seed or attack only are expected to take as long as
/// one another. [one thread]
class Timings {
 public:
  /// A file that is missing or damaged counts as empty.
  Timings();

  std::optional<double> expected_s(const Cell& cell, const std::string& device) const;
  /// Remembers a finished cell; save() stores what was added since, as far as that is possible.
  void add(const Cell& cell, const std::string& device, double wall_s);
  void save() const;

 private:
  std::filesystem::path file_;
  std::map<std::string, double> known_, added_;
};

/// Longest first, those of unknown length before all; otherwise in their order. So that no long cell is left for the
/// end, when the other workers have nothing to do.
void sort_longest_first(std::vector<const Cell*>& cells, const Timings& timings, const std::string& device);

}  // namespace roclip::bench
