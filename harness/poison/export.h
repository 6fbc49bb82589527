/// A whole poisoned data set as tables and image files, so that others train on the same poisons.
#pragma once

#include <filesystem>

#include "harness/poison/poison_set.h"
#include "harness/record/progress.h"

namespace roclip::bench {

/// Writes the training pairs (in the order in which a cell meets them: the place of a poison says nothing), the
/// held-out images, and the targets or the triggered images; results/README.md lists the files. Equal sets give
/// equal bytes.
/// @throws Error(kData) if `folder` is there and not empty or cannot be written
void export_poison_set(const PoisonSet& set, const std::filesystem::path& folder, const Progress& progress);

}  // namespace roclip::bench
