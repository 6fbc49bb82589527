/// The embedded data set `emoji`: eight artists' drawings of the same concepts. README.md describes it.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "harness/data/collection.h"

namespace roclip::bench {

/// The packed file in the cache. Its name has a hash of the files in share_dir()/emoji, which decide what is in it.
std::filesystem::path emoji_file();

/// Puts the data set together from installed packages; draws nothing yet.
/// @param packages a node_modules folder with @iconify-json/<style> and emojibase-data
/// @param recipe, aliases emoji/recipe.json, emoji/aliases.json @throws Error(kData)
Collection read_emoji(const std::filesystem::path& packages, const Json& recipe, const Json& aliases);

/// The packed file of the sprites, which scenes are made of. Named likewise.
std::filesystem::path sprites_file();
/// The drawings of `emoji` as sprites (scenes.h): each twice, on white and on black, its meaning as the caption.
/// @param emoji of read_emoji()
Collection as_sprites(Collection emoji);

/// Installs the npm packages into `folder`, then reads them. @throws Error(kData), with npm's words if npm fails.
Collection fetch_emoji(const std::filesystem::path& folder, const Progress& progress);

}  // namespace roclip::bench
