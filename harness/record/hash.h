/// Content hashes: of a cell's configuration, of a manifest, of a file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace roclip::bench {

/// XXH3-128 as 32 hex digits.
std::string hash_hex(std::string_view bytes);
/// The same of a file's content. @throws Error(kData)
std::string hash_file(const std::filesystem::path& file);

}  // namespace roclip::bench
