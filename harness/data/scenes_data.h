/// The embedded data set `scenes`: what its keys are, and the pairs that they describe.
#pragma once

#include "harness/data/data.h"
#include "harness/data/sized_pack.h"

namespace roclip::bench {

/// Validates {"reader": "scenes", ...} and fills in the defaults. @throws Error(kMatrix)
Json effective_scenes(const Json& data, const std::string& where);
/// @throws Error(kMatrix) unless they are drawn at the size that the model takes
void check_scenes_px(const Json& effective, std::int64_t image_px);
/// @param effective without "clean_share" @param sprites of as_sprites(), in the sizes of sprite_sides()
/// @throws Error(kData) for what are no sprites
LoadedData make_scenes(const Json& effective, const SizedPack& sprites);

}  // namespace roclip::bench
