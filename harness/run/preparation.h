/// What has to be known before the first cell runs: found out by a worker, because it takes plugins and data.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/record/cell.h"
#include "harness/record/signals.h"
#include "harness/run/views.h"
#include "harness/run/worker.h"
#include "harness/study/matrix.h"

namespace roclip::bench {

struct Preparation {
  std::vector<std::string> devices;
  std::vector<Cell> cells;
  std::string data_hash;                         ///< "" = not known
  std::map<std::string, std::string> trainings;  ///< cell id -> key; cells of one key share a training
  std::map<std::string, std::string> builds;     ///< id of a plugin -> hash of its file
  std::map<std::string, std::int64_t> trials;    ///< row of the grid -> what its attack success is measured on
  std::set<std::string> hopeless;                ///< rows of the grid whose attack cannot plan
};

struct PreparationOptions {
  std::filesystem::path out;
  std::vector<std::filesystem::path> plugin_path;
  std::string device = "auto";
  bool make_data = true;  ///< also store the manifests; false: use what is there, write nothing
};

/// Checks and expands a matrix file, prepares its data, lets every attack plan once (harness/engine/worker.h). A worker
/// that dies after the cells are known is a notice: the cell that needs what it was at will tell.
/// @return none if a signal asked to stop, which is then in `signal`. @throws Error
std::optional<Preparation> prepare(const Matrix& matrix, const PreparationOptions& options, Nursery& nursery,
                                   const Signals& signals, RunListener& listener, int& signal);

/// "ended by signal 11 (Segmentation fault)", "exited with code 3". @param wait_status as of waitpid(2)
std::string how_it_ended(int wait_status);

}  // namespace roclip::bench
