/// The user's own data: a table of images and captions, and labelled images to judge by. README.md lists the keys.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "harness/data/collection.h"

namespace roclip::bench {

/// Validates {"reader": "csv", ...}, makes paths absolute and fills in the defaults. @throws Error(kMatrix)
Json effective_csv(const Json& data, const std::filesystem::path& base, const std::string& where);

/// The packed file in the cache. Its name has a hash of the keys and of size and time of the tables and folders; a
/// changed image alone is not noticed. @throws Error(kData) if a table or folder is missing.
std::filesystem::path csv_file(const Json& effective);

/// Reads tables and folders; decodes nothing yet. @throws Error(kData)
Collection read_csv_data(const Json& effective);

}  // namespace roclip::bench
