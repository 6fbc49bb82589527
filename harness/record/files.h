/// Files that are never half-written.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace roclip::bench {

using Json = nlohmann::json;

/// @throws Error(kData) naming the file and the system's reason
std::string read_file(const std::filesystem::path& file);
/// Writes to a temporary name in the same folder, flushes to disk, renames. @throws Error(kData)
void write_file(const std::filesystem::path& file, std::string_view content);
/// Two-space indent, keys sorted, final newline.
void write_json(const std::filesystem::path& file, const Json& json);
/// @throws Error(kData) with file, line and column of a syntax error
Json read_json(const std::filesystem::path& file);

}  // namespace roclip::bench
