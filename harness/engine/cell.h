/// One cell inside a worker: poison, train, evaluate, describe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/data/data.h"
#include "harness/poison/stored_plan.h"
#include "harness/record/cell.h"
#include "harness/record/progress.h"
#include "harness/record/result.h"
#include "harness/train/trainer.h"
#include "registry.h"
#include "roclip/attack.h"
#include "roclip/defense.h"

namespace roclip::bench {

/// What run_cell() needs besides the cell.
struct CellSurroundings {
  const Registry& registry;
  torch::Device device;
  OutputFolder out;  ///< of manifests and checkpoints
  CheckpointPolicy checkpoint;
  bool keep_weights = false;              ///< in the output folder
  std::vector<std::string> command_line;  ///< for the record
  const Ranks& ranks;                     ///< that train this cell together
};

/// "poisoned_pairs" or "clean_subset".
std::string_view to_string(Capability capability);

/// "auto", "cpu", "cuda" or "cuda:1" -> the devices meant, which are there. "auto" and "cuda" mean every GPU.
/// @throws Error(kUsage)
std::vector<torch::Device> parse_devices(const std::string& text);

LoadedData open_data(const Json& config, const Progress& progress);

/// What decides what a cell trains, as hashes that name checkpoints. They hold the hashes of all code, so that a
/// checkpoint is never continued by another build.
struct TrainingKeys {
  std::string own;          ///< of the whole training
  std::string shared;       ///< of the plain stages it begins with, which cells of one key share; "" if there are none
  std::int64_t epochs = 0;  ///< of all stages
};
TrainingKeys training_keys(const Json& config, const std::string& data_hash, const Registry& registry,
                           torch::Device device);

/// Of each plugin that the cell uses: id -> hash of its file.
std::map<std::string, std::string> plugin_builds(const Json& config, const Registry& registry);

/// Poisons, trains and evaluates. Single-threaded on the CPU: the same cell gives the same bits. What is thrown becomes
/// a record: "failed", "diverged", "oom" or "skipped". Of ranks, the first one alone evaluates and writes files, and
/// the record of the others tells their status only. @return nothing if it was interrupted
std::optional<CellRecord> run_cell(const Cell& cell, const CellSurroundings& around, TrainHooks hooks) noexcept;

}  // namespace roclip::bench
