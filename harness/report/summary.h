/// A study in numbers: what every format of `report` shows.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/record/intervals.h"
#include "harness/report/study.h"

namespace roclip::bench {

/// An undefended attack that succeeds less often cannot tell a good defense from a bad one.
inline constexpr double kStrongAttack = 0.8;

/// One seed of one place of a grid.
struct SeedValue {
  std::int64_t seed;
  Headline headline;
  std::string device = {};  ///< kind of device that trained it: "cpu", "cuda"; "" if the record is not there
};

/// Each of another seed.
using Values = std::vector<SeedValue>;
double mean_of(const Values& values);
/// Interval of the mean: over_seeds() of counts, Student's t of other values. Nothing for one seed of a value of which
/// the metric knows no interval.
std::optional<Interval> interval_of(const Values& values, double level = 0.95);
/// Of the mean paired difference a - b. Nothing for one seed of values that are no counts.
std::optional<Interval> difference_interval(const Values& a, const Values& b, double level = 0.95);

/// A defense against another one, paired.
struct Comparison {
  double difference;  ///< mean over seeds
  double p;           ///< exact, two-sided
  std::string test;   ///< "permutation" over seeds; "McNemar" over the items of the only seed that both have
  double p_holm = 1;  ///< adjusted for all comparisons of a table
  bool significant() const { return p_holm < 0.05; }
};

/// One place of a grid: all seeds of an attack, a defense and a metric.
struct Entry {
  std::string defense;
  std::string status;       ///< of the cells: "ok", else that of the first which is not
  std::string reason = {};  ///< why it is not, or why the metric does not apply
  std::size_t cells = 0;
  Values seeds = {};  ///< those that have a value
  double mean = 0;
  std::optional<Interval> interval = {};
  std::string first_cell = {};                       ///< id
  double wall_s = 0;                                 ///< mean of a cell
  double train_s = 0;                                ///< also of what another cell trained for it; 0 = unknown
  std::optional<Comparison> against_reference = {};  ///< with the study's first defense
  bool differs() const { return against_reference && against_reference->significant(); }
};

struct Row {
  std::string attack;
  std::string note = {};  ///< "" or why this row cannot judge a defense
  std::vector<Entry> entries = {};
};

struct Table {
  std::string metric;  ///< id
  MetricKind kind;
  std::vector<Row> rows = {};
  std::int64_t comparisons = 0;
  std::string models = {};   ///< how well it tells models apart, if it measures that
  bool any_differs() const;  ///< from the first defense
};

/// An attack that all defenses met, and the seeds at which all of them did.
struct Compared {
  std::size_t row;
  std::vector<std::int64_t> seeds;
};

/// A defense over what is compared; 0 or "" = unknown.
struct Standing {
  std::string defense;
  std::size_t column = 0;                        ///< in the rows of tables
  std::string capability = {}, acts = {};        ///< what it is given; role of its last stage
  double rank = 0;                               ///< by attack success, mean over attacks and seeds; 1 = lowest
  std::optional<Interval> rank_interval = {};    ///< 95 %, t, one value an attack; of a single attack, one a seed
  double success = 0, utility = 0, train_s = 0;  ///< means: attack success, clean accuracy, training of a cell
};

struct Summary {
  std::string name;
  std::vector<std::int64_t> seeds;
  std::vector<std::string> defenses;
  std::vector<Table> tables = {};
  std::vector<Standing> standings = {};  ///< the best rank first
  std::vector<Compared> compared = {};   ///< what they are over
  std::vector<StudyCell> problems = {};  ///< cells that did not end ok, missing ones left out
  std::size_t missing = 0;
  std::string correction = {};  ///< what limits comparisons: seeds that were added, devices that differ; or ""
  /// The first table of shares that measures this, in the order of the matrix file; null if there is none.
  const Table* first_table(Measures measures) const;
};

/// The headlines of an attack, a defense and a metric, one a seed that has one.
Values values_of(const Study& study, const std::string& metric, const std::string& attack, const std::string& defense);
/// Those of the seeds that both have, in the same order.
std::pair<Values, Values> paired(const Values& a, const Values& b);
/// Those of these seeds.
Values at_seeds(const Values& values, const std::vector<std::int64_t>& seeds);
/// a - b, one a seed.
std::vector<double> differences(const Values& a, const Values& b);

/// Of a defense in one study against one in another, which may be the same. Nothing where they share no seed, or one
/// whose cells were not tried on the same items, or count nothing.
std::optional<Comparison> paired_test(const Study& a, const std::string& defense_a, const Study& b,
                                      const std::string& defense_b, const std::string& metric,
                                      const std::string& attack);

/// AUROC of backdoored models, whose attack triggers images, against clean ones; "" without a model of each kind.
std::string model_detection(const Study& study, const std::string& metric);
/// From its tables.
void add_standings(Summary& summary, const Study& study);
Summary summarise(const Study& study);
/// `report --format json`
Json to_json(const Summary& summary);

/// Statistical power: why a table without any significant difference could not have one with so few seeds; "" if it
/// could.
std::string detectable(const Table& table, std::size_t seeds);

}  // namespace roclip::bench
