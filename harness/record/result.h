/// The stored result of a cell, and the matrix result. Format: results/schema/.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "harness/plan/plan.h"
#include "roclip/metric.h"

namespace roclip::bench {

inline constexpr int kResultSchemaVersion = 1;

/// How a cell ended. Stored by name; never rename an entry.
enum class Status { kOk, kFailed, kCrashed, kTimeout, kOutOfMemory, kDiverged, kSkipped };
std::string_view to_string(Status status);

/// {"better", "counts": [{"name", "hits", "trials", "value", "low", "high", "items", "outcomes"}], "not_applicable",
///  "details"}; low and high are the Wilson interval at 95 %.
Json to_json(const MetricResult& result, Better better);

/// What every cell result starts with, whatever became of the cell.
Json cell_record(const Cell& cell, Status status, const std::string& reason);

/// Files of one output folder.
struct OutputFolder {
  std::filesystem::path root;

  std::filesystem::path cell_file(const std::string& id) const { return root / "cells" / (id + ".json"); }
  std::filesystem::path log_file(const std::string& id) const { return root / "logs" / (id + ".log"); }
  std::filesystem::path manifest_file(const std::string& hash) const { return root / "manifests" / (hash + ".json"); }
  std::filesystem::path results_file() const { return root / "results.json"; }
  /// Makes the folders and proves that they can be written to. @throws Error(kData)
  void create() const;
};

/// The stored result of a cell if it ended ok on data of this hash, else null: such a cell need not run again.
Json finished_result(const OutputFolder& out, const Cell& cell, const std::string& data_hash);

/// The matrix result: one entry a cell, in plan order, with status, counts and file. @param results of each cell; null
/// where none is stored
Json matrix_result(const Matrix& matrix, const std::vector<Cell>& cells, const std::vector<Json>& results);

}  // namespace roclip::bench
