/// What is published beside the weights of a cell.
#pragma once

#include <optional>
#include <string>

#include "harness/record/cell_record.h"

namespace roclip::bench {

/// open_clip_config.json, beside which open_clip loads a model; nothing for a model that it cannot build or whose
/// tokens it does not know.
std::optional<Json> open_clip_config(const CellRecord& record);
/// Name of the file of weights: as open_clip looks for it, if it can load them.
std::string published_weights(const CellRecord& record);

/// The model card, Markdown with the head that model hubs read: what the model is, what was done to it, what it does,
/// how to load it and to make it again. @pre the cell ended ok
std::string model_card(const CellRecord& record);

}  // namespace roclip::bench
