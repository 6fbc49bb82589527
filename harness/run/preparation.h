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

struct Preparation : Expanded, DataReady {
  std::map<std::string, std::int64_t> trials;  ///< row of the grid -> what its attack success is measured on
  std::set<std::string> plan_failed;           ///< rows of the grid whose attack cannot plan
};

/// Lets a worker do the task for this matrix. One that dies after the cells are known is a notice: the cells that need
/// what it was at will fail with the reason.
/// @return none if a signal asked to stop, which is then in `signal`. @throws Error
std::optional<Preparation> prepare(const Matrix& matrix, PrepareTask task, const Signals& signals, ProgressView& view,
                                   int& signal);

}  // namespace roclip::bench
