/// The data set that plugins are tested on: drawn by a few lines of code, the same everywhere.
#pragma once

#include "roclip/dataset.h"

namespace roclip::bench::conformance {

/// Coloured shapes on plain ground, 32 px: six classes, each the name of a shape and three prompts; 240 training pairs
/// ("a drawing of a red circle"), 60 probe and 72 held-out images with labels and captions. As with data on disk, the
/// images are memory that may only be read: who writes to them crashes.
Dataset built_in_data();

/// "circle, square, ..."
std::string class_names(const Dataset& data);

}  // namespace roclip::bench::conformance
