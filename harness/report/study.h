/// Results as report, check, compare and verify read them. Nothing here runs anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

namespace roclip::bench {

using Json = nlohmann::json;

/// The cells of one or several output folders in one grid.
struct Study {
  std::string name;
  std::vector<std::string> metrics;            ///< ids, in the order of the matrix file
  std::vector<std::string> attacks, defenses;  ///< rows and columns; the first defense is the reference
  std::vector<std::int64_t> seeds;             ///< ascending
  std::vector<Json> cells;                     ///< entries of results.json
  std::vector<std::filesystem::path> folders;  ///< of each cell
  Json gates = Json::array();                  ///< of the matrix files
  std::int64_t looks = 1;                      ///< how often gates may be judged while seeds are added

  /// The cell's index, or -1.
  std::int64_t find(const std::string& attack, const std::string& defense, std::int64_t seed) const;
  /// The id of a metric, by its id or its name without revision; "" if there is none.
  std::string metric_id(const std::string& name) const;
  /// The whole stored cell, with outcomes and curves; null if it has none or its file is gone.
  Json record(std::int64_t cell) const;

  std::map<std::tuple<std::string, std::string, std::int64_t>, std::int64_t> places;
};

/// A matrix result in memory; `folder` holds its cells.
Study study_of(const Json& matrix_result, const std::filesystem::path& folder);

/// @param outs output folders, or results.json files. A cell that several hold is taken once; a label that names
/// another configuration in a later folder gets that study's name behind it. @throws Error(kData) for a file that is
/// missing or something else
Study load_study(const std::vector<std::filesystem::path>& outs);

/// The count to quote of a metric, with items and outcomes, from a stored cell; null if there is none.
Json stored_headline(const Json& record, const std::string& metric);

/// "attack_success" of "attack_success/1"
std::string base_name(const std::string& id);

}  // namespace roclip::bench
