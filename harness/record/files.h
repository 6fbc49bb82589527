/// Files that are never half-written, the JSON in them, and hashes of their content.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "roclip/error.h"

namespace roclip::bench {

using Json = nlohmann::json;

/// @throws Error(kData): the name of the file and the reason
[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& reason);
/// "1.5 GB", "340 kB": decimal units, as disks have them.
std::string show_bytes(double bytes);
/// @throws Error(kData) naming the file and the system's reason
std::string read_file(const std::filesystem::path& file);
/// Writes all of it to a descriptor, through interruptions. @return false, with errno, if that fails
bool write_all(int descriptor, std::string_view content);
enum class Flush { kYes, kNo };
/// Writes to a temporary name in the same folder, flushes to disk unless told not to, renames; a file that is replaced
/// keeps its mode, and a link still leads to it. A device or a pipe is written to as it is. @throws Error(kData)
void write_file(const std::filesystem::path& file, std::string_view content, Flush flush = Flush::kYes);
/// Two-space indent, keys sorted, an array of plain values on one line; bytes that are not UTF-8 are replaced.
std::string to_text(const Json& json, const std::string& indent = "");
/// to_text() and a final newline, by write_file().
void write_json(const std::filesystem::path& file, const Json& json, Flush flush = Flush::kYes);
/// Calls use(entry) for all files and folders below a folder, in no order; links to folders are not followed.
/// @throws Error(kData) for one that cannot be read
void for_each_below(const std::filesystem::path& folder,
                    const std::function<void(const std::filesystem::directory_entry&)>& use);
/// Whether the name is one that write_file() gives to a file that is not complete.
bool is_temporary(const std::filesystem::path& file);
inline constexpr std::size_t kDeepestJson = 200;  ///< arrays and objects within each other, in a file that is read
/// Reads JSON strictly: a key that stands twice in an object, a number that no 64-bit integer or finite double holds,
/// text that is not UTF-8 and deeper nesting than kDeepestJson are errors. Comments, // and /* */, are allowed.
/// @param name of the text, for messages. @throws Error(`kind`) with name, line and column
Json parse_json(const std::string& text, const std::string& name, ErrorKind kind);
/// parse_json() of a file. @throws also Error(kData) if it cannot be read
Json read_json(const std::filesystem::path& file, ErrorKind kind = ErrorKind::kData);

/// XXH3-128 as 32 hex digits: of a cell's configuration, of a manifest, of weights.
std::string hash_hex(std::string_view bytes);
/// The same of a file's content. @throws Error(kData)
std::string hash_file(const std::filesystem::path& file);

}  // namespace roclip::bench
