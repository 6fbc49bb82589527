/// The matrix file: what a person writes, checked key by key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/record/cell.h"
#include "roclip/params.h"

namespace roclip::bench {

/// One value of the "attacks", "defenses" or "metrics" list. Parameters may still hold {"sweep": [...]}.
struct PluginEntry {
  std::string plugin;  ///< "badnets" or "badnets/1"
  std::string label;   ///< "" = made from the name and what tells it from its siblings
  Json params;         ///< object, as written
  Json limits;         ///< object, as written; of the cells of this entry
  std::string where;   ///< "matrix.json: /attacks/1", the front of messages about it
};

struct Matrix {
  std::filesystem::path file;
  std::string name;
  Json data;      ///< as written
  Json model;     ///< as written; may hold sweeps
  Json training;  ///< as written, an object; may hold sweeps
  std::vector<std::int64_t> seeds;
  std::vector<PluginEntry> attacks, defenses, metrics;
  Limits limits;
  CheckpointPolicy checkpoint;
  Json gates = Json::array();  ///< as written; read_gates() reads them

  /// "results/smoke/matrix.json: " + pointer
  std::string where(const std::string& pointer) const { return file.string() + ": " + pointer; }
};

/// Reads and checks everything that can be checked without plugins and data.
/// @throws Error(kMatrix) naming file and key; Error(kData) if the file cannot be read.
Matrix load_matrix(const std::filesystem::path& file);

/// Every combination of the {"sweep": [...]} values of a JSON object, in the order written: one copy of the object for
/// each, sweeps replaced by values. Without sweeps: the object itself. @throws Error(kMatrix) for an empty or odd sweep
struct Swept {
  Json object;
  Json chosen;  ///< only the keys that were swept
};
std::vector<Swept> expand_sweeps(const Json& object, const std::string& where);

}  // namespace roclip::bench
