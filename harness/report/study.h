/// Results as report, check, compare and verify read them. Nothing here runs anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "harness/record/result.h"

namespace roclip::bench {

struct StudyCell : CellEntry {
  std::filesystem::path folder;  ///< of results.json
  std::shared_ptr<const CellRecord>
      record;                   ///< the whole stored cell, with outcomes and curves; null if it is not there
  std::string own_attack = {};  ///< label of its attack in its own matrix file
};

/// How the numbers of a metric are to be read.
struct MetricKind {
  Measures measures = Measures::kCleanAccuracy;
  bool lower_is_better = false;
  std::string unit = {};  ///< of a value; "" = a share of a count, shown in %
};

/// The cells of one or several output folders in one grid.
struct Study {
  std::string name;
  std::vector<std::string> metrics;            ///< ids, in the order of the matrix file
  std::vector<std::string> attacks, defenses;  ///< rows and columns; the first defense is the reference
  std::vector<std::int64_t> seeds;             ///< ascending
  std::vector<StudyCell> cells;
  Json gates = Json::array();  ///< of the matrix files
  std::int64_t looks = 1;      ///< how often gates may be judged while seeds are added

  /// Null if there is none.
  const StudyCell* find(const std::string& attack, const std::string& defense, std::int64_t seed) const;
  /// Of the first cell of an attack or a defense that ended ok; null if there is none.
  const CellRecord* record_of(std::string CellEntry::*label, const std::string& name) const;
  /// The id of a metric, by its id or its name without revision; "" if there is none.
  std::string metric_id(const std::string& name) const;
  /// As the first cell says to which this metric applies.
  MetricKind kind(const std::string& metric) const;

  std::map<std::tuple<std::string, std::string, std::int64_t>, std::size_t> places;  ///< of cells
};

/// A matrix result in memory; `folder` holds its cells. @throws Error(kData) for a stored cell that is damaged, or that
/// contradicts the matrix result
Study study_of(const MatrixResult& result, const std::filesystem::path& folder);

/// @param outs output folders, or results.json files. A cell that several hold is taken once; a label of an attack or a
/// defense that names another configuration in a later folder gets that study's name behind it. @throws Error(kData)
/// for a file that is missing or something else, or that contradicts itself or another
Study load_study(const std::vector<std::filesystem::path>& outs);

/// "my_metric" of "my_metric/1"
std::string base_name(const std::string& id);
/// "my metric" of "my_metric/1"
std::string title_of(const std::string& id);

}  // namespace roclip::bench
