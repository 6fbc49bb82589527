/// The user's own data: images and captions from a table or from shards, and labelled images to judge by. README.md
/// lists the keys.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "harness/data/collection.h"

namespace roclip::bench {

/// Whether effective_user_data() knows a reader of this name: "csv", "webdataset".
bool is_user_reader(const std::string& reader);

/// Validates {"reader": "csv", "pairs": ...}, makes paths absolute and fills in the defaults. @throws Error(kMatrix)
Json effective_user_data(const Json& data, const std::filesystem::path& base, const std::string& where);

/// The same for labelled images alone, which have no "pairs": {"labelled": ...}.
/// @param name what they are called
Json effective_labelled(const Json& data, const std::string& name, const std::filesystem::path& base,
                        const std::string& where);

/// The packed file in the cache. Its name has a hash of the keys and of size and time of the files and folders that
/// they name; a changed image alone is not noticed. @throws Error(kData) if one is missing.
std::filesystem::path user_file(const Json& effective);

/// Reads tables, shards and folders; decodes nothing yet. @throws Error(kData)
Collection read_user_data(const Json& effective);

}  // namespace roclip::bench
