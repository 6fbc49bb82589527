#include "harness/data/webdataset.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <set>

#include <boost/algorithm/string.hpp>

#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kMaxTextBytes = 1 << 20;
constexpr std::size_t kMaxShards = 1'000'000;

bool is_image(const std::string& extension) {
  static const std::set<std::string> known = {"jpg", "jpeg", "png", "webp", "bmp", "ppm", "tif", "tiff"};
  return known.contains(extension);
}

/// "a/b.c.txt" -> {"a/b", "c.txt"}
std::pair<std::string, std::string> split_name(const std::string& name) {
  const auto folder = name.rfind('/');
  const auto dot = name.find('.', folder == std::string::npos ? 0 : folder + 1);
  if (dot == std::string::npos) return {name, ""};
  return {name.substr(0, dot), boost::to_lower_copy(name.substr(dot + 1))};
}

void add_range(const std::string& path, std::vector<fs::path>& shards) {
  const auto open = path.find('{'), close = path.find('}', open);
  if (open == std::string::npos) {
    if (shards.size() == kMaxShards) throw Error(ErrorKind::kData, path + ": names more than a million shards");
    shards.emplace_back(path);
    return;
  }
  const auto range = close == std::string::npos ? "" : path.substr(open + 1, close - open - 1);
  const auto dots = range.find("..");
  const auto first = range.substr(0, dots), last = dots == std::string::npos ? "" : range.substr(dots + 2);
  const auto is_number = [](const std::string& text) {
    return !text.empty() && text.size() < 10 && boost::all(text, boost::is_digit());
  };
  if (!is_number(first) || !is_number(last) || std::stoll(first) > std::stoll(last)) {
    throw Error(ErrorKind::kData, path + ": expected a range of numbers in the braces, such as {00000..00127}");
  }
  for (auto number = std::stoll(first); number <= std::stoll(last); ++number) {
    auto digits = std::to_string(number);
    if (digits.size() < first.size()) digits.insert(0, first.size() - digits.size(), '0');
    add_range(path.substr(0, open) + digits + path.substr(close + 1), shards);
  }
}

/// Why libarchive does not read it, in words that say what to do.
std::string diagnosis(const fs::path& shard, const std::string& reason) {
  std::ifstream in(shard, std::ios::binary);
  std::string head(6, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  const bool compressed = head.starts_with("\x1f\x8b") || head.starts_with("\x28\xb5\x2f\xfd") ||
                          head.starts_with("BZh") ||
                          head.starts_with(
                              "\xfd"
                              "7zXZ");
  if (compressed) return "is compressed; images are read in place, so uncompress it first";
  const char* what = boost::contains(reason, "Truncated") ? "is cut off (" : "is not a tar file, or a damaged one (";
  return what + reason + "); write it again, or leave it out";
}

}  // namespace

bool names_shards(const std::string& path) {
  if (path.ends_with(".tar")) return true;
  std::error_code none;
  return fs::is_directory(path, none) && std::ranges::any_of(fs::directory_iterator(path, none), [](const auto& entry) {
           return entry.path().extension() == ".tar";
         });
}

std::vector<fs::path> shards_of(const std::string& path) {
  std::vector<fs::path> shards;
  std::error_code none;
  if (!fs::is_directory(path, none)) {
    add_range(path, shards);
    return shards;
  }
  for (const auto& entry : fs::directory_iterator(path, none)) {
    if (entry.path().extension() == ".tar") shards.push_back(entry.path());
  }
  std::ranges::sort(shards);
  return shards;
}

void read_shard(const fs::path& shard, const std::function<void(Sample&&)>& use) {
  std::error_code error;
  const auto size = static_cast<std::int64_t>(fs::file_size(shard, error));
  if (error) refuse(shard, error.message());
  if (size == 0) refuse(shard, "is empty; write it again, or leave it out");
  const std::unique_ptr<archive, int (*)(archive*)> tar(archive_read_new(), &archive_read_free);
  archive_read_support_format_tar(tar.get());
  archive_read_set_options(tar.get(), "read_concatenated_archives");  // nothing is lost of shards that were joined
  constexpr std::size_t kBlockBytes = 1 << 16;
  if (archive_read_open_filename(tar.get(), shard.c_str(), kBlockBytes) != ARCHIVE_OK) {
    refuse(shard, diagnosis(shard, archive_error_string(tar.get())));
  }
  Sample sample;
  const auto finish = [&] {
    if (!sample.key.empty()) use(std::move(sample));
    sample = {};
  };
  archive_entry* entry = nullptr;
  for (;;) {
    const int status = archive_read_next_header(tar.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
      refuse(shard, diagnosis(shard, archive_error_string(tar.get())));
    const char* utf8 = archive_entry_pathname_utf8(entry);
    const char* raw = utf8 != nullptr ? utf8 : archive_entry_pathname(entry);
    if (raw == nullptr || archive_entry_filetype(entry) != AE_IFREG) continue;
    const auto [key, extension] = split_name(raw);
    if (key != sample.key) finish();
    sample.key = key;
    const std::int64_t bytes = archive_entry_size(entry), offset = archive_filter_bytes(tar.get(), 0);
    if (bytes < 0 || bytes > size - offset) {
      refuse(shard, "is cut off: " + std::string(raw) + " should have " + std::to_string(bytes) + " bytes at " +
                        std::to_string(offset) + ", the file ends at " + std::to_string(size) +
                        "; write it again, or leave it out");
    }
    if (is_image(extension)) {
      if (sample.image.source.empty() && archive_entry_sparse_count(entry) == 0) {
        sample.image = {.name = shard.filename().string() + "/" + raw,
                        .source = shard.string(),
                        .caption = "",
                        .offset = offset,
                        .bytes = bytes};
      }
    } else if (bytes <= kMaxTextBytes) {
      std::string text(static_cast<std::size_t>(bytes), '\0');
      if (archive_read_data(tar.get(), text.data(), text.size()) != bytes) {
        refuse(shard, diagnosis(shard, std::string(raw) + ": " + archive_error_string(tar.get())));
      }
      sample.texts[extension] = std::move(text);
    }
  }
  finish();
}

}  // namespace roclip::bench
