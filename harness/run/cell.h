/// Runs one cell: poison, train, evaluate, record.
#pragma once

#include <functional>
#include <string>

#include "harness/record/result.h"
#include "harness/train/trainer.h"

namespace roclip::bench {

/// "auto", "cpu", "cuda" or "cuda:1" -> a device that is there. @throws Error(kUsage)
torch::Device parse_device(const std::string& text);

/// Poisons, trains and evaluates. Single-threaded on the CPU: the same cell gives the same bits.
/// @return the complete record with status "ok", also written to out.cell_file(). @throws Error and whatever a plugin
/// throws; nothing is written then but perhaps the manifest.
Json run_cell(const Cell& cell, const Registry& registry, torch::Device device, const OutputFolder& out,
              const std::function<void(const TrainProgress&)>& listener);

/// run_cell() for a worker: also an error becomes a stored record, "failed", "diverged", "oom" or "skipped".
Json run_cell_recorded(const Cell& cell, const Registry& registry, torch::Device device, const OutputFolder& out,
                       const std::function<void(const TrainProgress&)>& listener) noexcept;

/// Lets the attack of each cell plan once, so that a class that does not exist or captions that are too few are found
/// before anything is trained. @return hash of the data set. @throws Error
std::string check_attacks(const std::vector<Cell>& cells, const Matrix& matrix, const Registry& registry,
                          const std::function<void(std::string_view, std::int64_t, std::int64_t)>& progress);

}  // namespace roclip::bench
