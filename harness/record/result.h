/// The stored result of a cell, and the matrix result. Format: results/schema/.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "harness/record/cell.h"

namespace roclip::bench {

inline constexpr int kResultSchemaVersion = 1;

/// How a cell ended. Stored by name; never rename an entry.
enum class Status { kOk, kFailed, kCrashed, kTimeout, kOutOfMemory, kDiverged, kSkipped };
std::string_view to_string(Status status);
std::vector<std::string> status_names();

/// What every cell result starts with, whatever became of the cell.
Json cell_record(const Cell& cell, Status status, const std::string& reason);

/// Files of one output folder.
struct OutputFolder {
  std::filesystem::path root;

  std::filesystem::path cell_file(const std::string& id) const { return root / "cells" / (id + ".json"); }
  std::filesystem::path log_file(const std::string& id) const { return root / "logs" / (id + ".log"); }
  std::filesystem::path trace_file(const std::string& id) const { return root / "logs" / (id + ".trace.json"); }
  std::filesystem::path manifest_file(const std::string& name) const { return root / "manifests" / (name + ".json"); }
  std::filesystem::path artifact_file(const std::string& name) const {
    return root / "artifacts" / (name + ".safetensors");
  }
  /// Pictures of the poisons and of a few test images (harness/engine/examples.h), beside the manifest.
  std::filesystem::path examples_file(const std::string& name) const {
    return root / "manifests" / (name + ".examples.json");
  }
  /// Of one training, by its key (training_keys() in harness/engine/cell.h).
  std::filesystem::path checkpoint_folder(const std::string& training) const { return root / "checkpoints" / training; }
  std::filesystem::path results_file() const { return root / "results.json"; }
  std::filesystem::path status_file() const { return root / "status.json"; }
  /// Makes the folders and proves that they can be written to. @throws Error(kData)
  void create() const;
  /// Deletes the temporary files of writers that were killed. @pre nobody else writes here
  void remove_leftovers() const;
};

/// The stored result of a cell, however it ended; null if there is none, if it is damaged or of another format, or if
/// it ended ok on data of another hash. @param data_hash "" = unknown, not compared
Json stored_result(const OutputFolder& out, const Cell& cell, const std::string& data_hash);

/// The result of a cell from a file that a person named. @throws Error(kData) if it is something else
Json read_cell(const std::filesystem::path& file);

/// What the matrix result says of a cell: status, counts without items, file. @param result null if none is stored
Json matrix_entry(const Cell& cell, const Json& result);

/// The matrix result: the entries in plan order, and means over seeds.
/// @param looks how often the gates may be judged while seeds are added; see confidence_of_look()
Json matrix_result(const std::string& name, const Json& gates, const std::vector<Cell>& cells,
                   const std::vector<Json>& entries, std::int64_t looks = 1);

}  // namespace roclip::bench
