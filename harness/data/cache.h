/// Prepared files, shared by all processes of a user.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/data/collection.h"
#include "harness/record/progress.h"

namespace roclip::bench {

/// Where the packed file of `name` is, or will be: its name has a hash of `key`, all that decides its content.
std::filesystem::path cache_file(const std::string& name, std::string_view key);

/// What tells that a file or folder changed: its path, time and size. @throws Error(kData) if it is not there
std::string stamp_of(const std::filesystem::path& path);

/// Reads a data set; may use `scratch`, an empty folder that is deleted afterwards.
using Reader = std::function<Collection(const std::filesystem::path& scratch)>;

/// Makes sure that the packed file `file`, or the folder of an encoded data set, exists and is whole: makes it, under a
/// lock, beside its place, and renames it when it is complete. A damaged one is replaced, with a notice.
/// @param whole throws Error(kData) when it is damaged
void ensure_packed(const std::filesystem::path& file, const std::function<void(const std::filesystem::path&)>& whole,
                   const Reader& read, const Progress& progress);

/// A packed file in the cache, with what killed processes left of it. Its time of change is when it was last used:
/// mark_used() sets it.
struct CachedFile {
  std::filesystem::path path;
  std::uintmax_t bytes = 0;
  std::int64_t last_used = 0;  ///< seconds since 1970
};
void mark_used(const std::filesystem::path& file);
/// All of them, by name.
std::vector<CachedFile> cached_files();
/// Deletes a packed file. Processes that have it open keep it. @return false while another process prepares it
/// @throws Error(kData)
bool delete_cached(const std::filesystem::path& file);

}  // namespace roclip::bench
