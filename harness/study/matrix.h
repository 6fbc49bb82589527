/// The matrix file: what a person writes, checked key by key. results/schema/matrix.schema.json has its keys and their
/// defaults.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/record/cell.h"
#include "harness/study/gates.h"
#include "roclip/params.h"

namespace roclip::bench {

/// A matrix file with more cells is refused, before anything is expanded.
inline constexpr std::int64_t kMostCells = 20'000;

/// One value of the "attacks", "defenses" or "metrics" list. Parameters of the former two may hold {"sweep": [...]}.
struct PluginEntry {
  std::string plugin = {};       ///< "my_trigger" or "my_trigger/1"
  std::string label = {};        ///< "" = made from the name and what tells it from its siblings
  Json params = Json::object();  ///< as written
  Json limits = Json::object();  ///< as written; of the cells of this entry
  std::string where;             ///< "matrix.json: /attacks/1", the front of messages about it
};

struct Matrix {
  std::filesystem::path file;
  Json written = Json::object();  ///< the whole file
  std::string name;
  Json data;                         ///< as written
  Json model;                        ///< as written; may hold sweeps
  Json training;                     ///< as written, an object; may hold sweeps
  std::filesystem::path start_from;  ///< weights that training begins with: a file, or an output
                                     ///< folder with those of one cell; "" = random ones
  std::vector<std::int64_t> seeds;
  std::vector<PluginEntry> attacks, defenses, metrics;
  Limits limits;
  CheckpointPolicy checkpoint;
  std::vector<Gate> gates;
  std::vector<std::int64_t> added_seeds = {};  ///< not in the file; their cells are in the results once they ran
  std::int64_t looks = 1;  ///< how often the gates may be judged while seeds are added; see confidence_of_look()

  /// "results/smoke/matrix.json: " + pointer
  std::string where(const std::string& pointer) const { return file.string() + ": " + pointer; }
  /// What paths in the file are relative to: its folder, or the current one if it is a pipe.
  std::filesystem::path folder() const;
};

/// Checks everything that can be checked without plugins and data, and counts the cells.
/// @param file for messages, and for folder(). @throws Error(kMatrix) naming file and key
Matrix parse_matrix(const Json& json, const std::filesystem::path& file);
/// parse_matrix() of a file, which is read once. @throws also Error(kData) if it cannot be read
Matrix load_matrix(const std::filesystem::path& file);

/// Every combination of the {"sweep": [...]} values of a JSON object, in the order written: one copy of the object for
/// each, sweeps replaced by values. Without sweeps: the object itself.
/// @throws Error(kMatrix) for a sweep that is empty, odd, or holds a value twice
struct Swept {
  Json object;
  Json chosen;  ///< only the keys that were swept
};
std::vector<Swept> expand_sweeps(const Json& object, const std::string& where);

}  // namespace roclip::bench
