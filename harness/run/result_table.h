/// The grid of a run, while it fills.
#pragma once

#include <chrono>
#include <vector>

#include "harness/record/result.h"
#include "harness/study/matrix.h"

namespace roclip::bench {

/// The results of a run so far, in plan order.
class ResultTable {
 public:
  ResultTable(const Matrix& matrix, const std::vector<Cell>& cells, OutputFolder out);
  void set(const Cell& cell, const CellRecord& record);
  Status status(const Cell& cell) const;
  MatrixResult result() const;
  /// The same, to results.json. @throws Error(kData)
  void save();
  /// save(), if there is news and the last save is five seconds ago; a full disk waits for the last save() to complain.
  void save_now_and_then();

 private:
  const Matrix& matrix_;
  const std::vector<Cell>& cells_;
  OutputFolder out_;
  std::vector<CellEntry> entries_;
  bool changed_ = false;  ///< since the last save
  std::chrono::steady_clock::time_point last_save_{};
};

}  // namespace roclip::bench
