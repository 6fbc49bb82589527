/// What is known of a cell that has run: the one type that is stored, sent and read. Format: results/schema/.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/record/cell.h"
#include "harness/record/checked_json.h"
#include "harness/record/intervals.h"
#include "roclip/measures.h"

namespace roclip {
class Metric;
struct MetricResult;
}  // namespace roclip

namespace roclip::bench {

inline constexpr int kResultSchemaVersion = 1;

/// How a cell ended. Stored by name; never rename an entry.
enum class Status { kOk, kFailed, kCrashed, kTimeout, kOutOfMemory, kDiverged, kSkipped, kMissing };
std::string_view to_string(Status status);
/// Of the cells that have ended, however: all but kMissing.
std::vector<std::string> status_names();

/// k of n.
struct CountRecord {
  std::string name;
  std::int64_t hits = 0, trials = 0;
  std::vector<std::int64_t> items = {};  ///< which held-out image each trial is about; only in a cell's own file
  std::string outcomes = {};             ///< one digit a trial, 1 = hit; only there

  Counted counted() const { return {hits, trials}; }
  bool operator==(const CountRecord&) const = default;
};

/// A number that is no share of a count: an AUROC, a rank, a z-score.
struct ValueRecord {
  std::string name;
  double value = 0;
  std::string unit = "1";

  bool operator==(const ValueRecord&) const = default;
};

/// The number of a metric that tables show.
struct Headline {
  double value;
  std::optional<Counted> count;  ///< that the value is the share of
  std::optional<Interval> interval;
};

struct MetricRecord {
  Measures measures = Measures::kOther;
  bool lower_is_better = false;  ///< of the headline
  std::string headline = {};     ///< name of the count or value that tables show, if there are any
  std::vector<CountRecord> counts = {};
  std::vector<ValueRecord> values = {};
  std::string not_applicable = {};  ///< why there is neither count nor value, or ""
  Json details = nullptr;           ///< whatever else a reader needs; only in a cell's own file

  const CountRecord* headline_count() const;
  const ValueRecord* headline_value() const;
  /// Nothing if the metric does not apply, or counted nothing.
  std::optional<Headline> quoted() const;
  bool operator==(const MetricRecord&) const = default;
};

/// A file of tensors that a cell left.
struct FileRecord {
  std::string file, hash;  ///< file: relative to the output folder
};

struct PoisonRecord {
  std::string manifest;  ///< file, relative to the output folder
  std::string hash;
  std::string goal = {};  ///< kind of goal, as in results/schema/poison.schema.json; "" in results from before goals
  std::int64_t edits = 0, removed = 0;
  double share = 0;                         ///< edits over training pairs
  std::optional<FileRecord> artifact = {};  ///< what the attack prepared
};

struct EpochRecord {
  std::string stage = {};
  std::int64_t epoch = 1;
  double loss = 0, logit_scale = 1, wall_s = 0;
  std::map<std::string, double> watched = {};  ///< "similarity_clean", "similarity_poisoned"
};

struct StageRecord {
  std::string name;
  std::int64_t steps = 0, pairs_seen = 0;
  double wall_s = 0;
  std::string trained_by;  ///< id of the cell that did this stage
  std::string role = {};   ///< of the defense, as the schema says; "" in results from before it was stored
};

struct TrainingRecord {
  std::string key = {};         ///< cells of one key share this training
  std::string trained_by = {};  ///< id of the cell that did the first stage
  std::int64_t resumed = 0, steps = 0, pairs_seen = 0, parameters = 0;
  std::string weights_hash = {};
  std::vector<EpochRecord> epochs = {};
  std::vector<StageRecord> stages = {};    ///< in their order; empty in results from before stages
  std::optional<FileRecord> weights = {};  ///< if the run was asked to keep them
};

/// A class and the probability that the model gives it.
struct Guess {
  std::string name;
  double probability = 0;
};

/// Predictions for a picture of manifests/<attack>.examples.json, the best first.
struct ExampleRecord {
  std::int64_t held_out = 0;
  std::vector<Guess> clean = {}, triggered = {};  ///< triggered: empty without a trigger
};

struct PluginRecord {
  std::string file, file_hash;
};

struct CostRecord {
  double wall_s = 0;                               ///< of all workers that worked on this cell
  double worker_s = 0;                             ///< of the last one
  double cpu_s = 0, peak_memory_mib = 0;           ///< of the last one
  std::optional<double> first_step_s = {};         ///< from its start to its first step
  std::optional<double> peak_gpu_memory_mib = {};  ///< of the last one; null on the CPU, and if LibTorch cannot tell
  std::map<std::string, double> phase_s = {};
};

struct CellRecord {
  std::string id, attack, defense;
  std::int64_t seed = 0;
  Status status = Status::kOk;
  std::string reason = {};                       ///< "" only if ok
  Json requested = Json::object();               ///< Cell::requested
  Json effective = Json::object();               ///< Cell::config
  std::string log = {}, output = {};             ///< file of what the worker printed; its last lines, if not ok
  Json environment = nullptr;                    ///< harness/record/environment.h; null if the worker could not tell
  std::map<std::string, std::string> code = {};  ///< program or library -> hash of the build
  std::string capability = {};                   ///< what the defense was given; this and the rest: only if ok
  bool attack_knows_defense = false;
  std::string data_hash = {};
  Json data = nullptr;  ///< LoadedData::record, as the data room wrote it; null in results from before it was stored
  PoisonRecord poison = {};
  TrainingRecord training = {};
  std::map<std::string, MetricRecord> metrics = {};  ///< by id
  std::vector<ExampleRecord> examples = {};
  std::map<std::string, PluginRecord> plugins = {};  ///< by id
  CostRecord cost = {};

  bool ok() const { return status == Status::kOk; }
  /// Ids of the metrics in the order of the matrix file.
  std::vector<std::string> metric_ids() const;
};

/// What the record of every cell starts with, whatever became of it.
CellRecord cell_record(const Cell& cell, Status status, const std::string& reason);
/// The cell, to run it again.
Cell cell_of(const CellRecord& record);

Json to_json(const CellRecord& record);
/// Checks everything that other code relies on, also that counts agree with their outcomes. @throws Error
CellRecord read_cell_record(const CheckedJson& json);

/// Also how checkpoints keep what was trained so far.
Json to_json(const TrainingRecord& training);
TrainingRecord read_training(const CheckedJson& json);

/// As the metric describes itself, and what it found. [engine]
MetricRecord metric_record(const MetricResult& result, const Metric& metric);
/// A metric in a cell's own file, with items and outcomes.
Json to_json(const MetricRecord& metric);
/// A metric in results.json: no items, no details.
Json summary_json(const MetricRecord& metric);
MetricRecord read_metric(const CheckedJson& json);
MetricRecord read_metric_summary(const CheckedJson& json);

}  // namespace roclip::bench
