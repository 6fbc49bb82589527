/// The stored result of a cell, and the matrix result. Format: results/schema/.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/record/cell_record.h"

namespace roclip::bench {

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
  /// Trained weights of a cell, if the run was asked to keep them.
  std::filesystem::path weights_file(const std::string& id) const { return root / "weights" / (id + ".safetensors"); }
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

/// The stored result of a cell, however it ended; nothing if there is none, if it is damaged or of another format, or
/// if it ended ok on data of another hash. @param data_hash "" = unknown, not compared
std::optional<CellRecord> stored_result(const OutputFolder& out, const Cell& cell, const std::string& data_hash);

/// The result of a cell, cells/<id>.json. @throws Error(kData) if the file is something else or contradicts itself
CellRecord read_cell(const std::filesystem::path& file);

/// What results.json says of a cell.
struct CellEntry {
  std::string id;
  std::string file = {};  ///< relative to results.json; "" while the cell is missing
  std::string attack, defense;
  std::int64_t seed = 0;
  Status status = Status::kMissing;
  std::string reason = {};
  std::map<std::string, MetricRecord> metrics = {};  ///< by id; no items
  std::optional<double> wall_s = {}, train_s = {};
  std::string capability = {}, acts = {};  ///< of the defense: what it is given, and the role of its last stage
  std::string goal = {};                   ///< of the attack, its kind

  bool ok() const { return status == Status::kOk; }
};

/// @param record of status kMissing: a cell that has not run, or is to run again
CellEntry entry_of(const CellRecord& record);
Json to_json(const CellEntry& entry);

/// results.json: the whole of a study.
struct MatrixResult {
  std::string name;
  std::vector<std::string> metrics = {};  ///< ids, in the order of the matrix file
  Json gates = Json::array();             ///< of the matrix file, as written
  std::int64_t looks = 1;             ///< how often gates may be judged while seeds are added; see confidence_of_look()
  std::vector<CellEntry> cells = {};  ///< in plan order
};

Json to_json(const MatrixResult& result);
/// @throws Error(kData) if the file is something else or contradicts itself
MatrixResult read_matrix_result(const std::filesystem::path& file);

}  // namespace roclip::bench
