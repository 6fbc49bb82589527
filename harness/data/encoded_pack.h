/// A prepared data set that is too large for raw pixels: images encoded as they came, in a folder.
///
///     metadata.json    version, classes, where each part begins, what was left out
///     index            entries [N], then names and captions; mapped
///     00000.images     the bytes of kImagesPerShard images, one after the other
///
/// Integers are little-endian. An image is decoded whenever it is asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <opencv2/core/mat.hpp>

#include "harness/data/collection.h"
#include "harness/record/progress.h"
#include "roclip/dataset.h"

namespace roclip::bench {

inline constexpr std::int64_t kImagesPerShard = 4096;

/// Stores all images of a collection, on all cores. Whoever was killed goes on after the last complete shard: `folder`
/// may hold what an earlier call left. An image that cannot be decoded is left out, with the reason.
/// @throws Error(kData) if nothing usable is left, or if the folder cannot be written
void encode_collection(Collection collection, const std::filesystem::path& folder, const Progress& progress);

/// One image of the pack, without its bytes.
struct EncodedEntry {
  std::uint64_t offset;       ///< in its shard
  std::uint64_t text_offset;  ///< of the name, which the caption follows
  std::uint32_t bytes;
  std::uint32_t hash;  ///< low half of XXH3-64 of the bytes
  std::uint32_t shard;
  std::uint32_t name_bytes, caption_bytes;
  std::int32_t label;           ///< Item::kNoLabel if it has none
  std::uint32_t width, height;  ///< px, as stored
};
static_assert(sizeof(EncodedEntry) == 48);

/// An open pack: an index that is mapped, and shards that are read when they are needed. Constant. [any thread]
class EncodedPack {
 public:
  /// Checks the whole index, and that the shards have their sizes. @throws Error(kData)
  explicit EncodedPack(const std::filesystem::path& folder);
  ~EncodedPack();

  std::int64_t size() const { return size_; }
  const Json& metadata() const { return metadata_; }
  /// Of all that is stored: XXH3-128, 32 hexadecimal digits.
  const std::string& checksum() const { return checksum_; }
  const EncodedEntry& entry(std::int64_t index) const;
  std::string_view name(std::int64_t index) const;
  std::string_view caption(std::int64_t index) const;
  /// @throws Error(kData), with the name of the image, if its bytes are not those that were stored
  std::string bytes(std::int64_t index) const;
  /// The middle square at px x px, resized as open_clip does it, of a JPEG decoded at the smallest of 1, 1/2, 1/4 and
  /// 1/8 of its size that is not below px. @return RGB, uint8 [px, px, 3] @throws Error(kData), with the name of the
  /// image
  cv::Mat square(std::int64_t index, std::int64_t px) const;

 private:
  std::filesystem::path folder_;
  Json metadata_;
  std::string checksum_;
  std::int64_t size_ = 0;
  struct Mapping;
  std::unique_ptr<Mapping> index_;
};

/// Reads all shards. @throws Error(kData) for the first image that is damaged
void verify_encoded(const std::filesystem::path& folder);

/// Images [first, first + count) of a pack as pairs of px x px.
Pairs encoded_pairs(std::shared_ptr<const EncodedPack> pack, std::int64_t first, std::int64_t count, std::int64_t px);

}  // namespace roclip::bench
