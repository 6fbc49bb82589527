/// The packed file: what every reader writes once and every cell maps.
///
///     offset 0      header, one page: magic, version, image size, counts, hashes
///     offset 4096   images, uint8 [N, 3, S, S], RGB
///     then          metadata, JSON (load_data() in data.cpp reads it; README.md describes it)
///
/// Integers are little-endian.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <torch/types.h>
#include <nlohmann/json_fwd.hpp>
#include <opencv2/core/mat.hpp>

#include "harness/record/progress.h"
#include "roclip/params.h"

struct XXH3_state_s;

namespace roclip::bench {

/// Raised whenever the header, or the meaning of the metadata, changes.
inline constexpr std::uint32_t kPackVersion = 1;

/// Writes a packed file front to back. Leaves a file without a valid header unless finish() returned.
class PackWriter {
 public:
  /// @param file must not be there yet @throws Error(kData), like the other members
  PackWriter(std::filesystem::path file, std::int64_t image_px);
  ~PackWriter();

  /// @param rgb uint8 [S, S, 3] @return the index of the image.
  std::int64_t append(const cv::Mat& rgb);
  /// @param image uint8 [3, S, S], contiguous
  std::int64_t append(const torch::Tensor& image);
  /// Writes the metadata and the header and has the disk store them.
  void finish(const Json& metadata);

 private:
  void write(const void* bytes, std::size_t size);
  void write_hashed(const void* bytes, std::size_t size);  ///< what the checksum is of

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path file_;
  std::unique_ptr<std::FILE, Close> stream_;
  std::unique_ptr<XXH3_state_s, void (*)(XXH3_state_s*)> hash_;
  std::int64_t image_px_;
  std::int64_t images_ = 0;
};

struct Pack {
  torch::Tensor images;  ///< uint8 [N, 3, S, S]; the mapped file, which lives as long as this or a view of it
  Json metadata;
  std::string checksum;  ///< XXH3-128 of images and metadata, 32 hexadecimal digits
};

/// Maps a packed file. Checks sizes and the hashes of header and metadata, not the images.
/// @throws Error(kData) for a file that is missing, truncated, damaged or of another version.
Pack open_pack(const std::filesystem::path& file);

/// Reads all of it, at the speed of the disk. @throws Error(kData) if the checksum is wrong, and whatever open_pack()
/// throws.
void verify_pack(const std::filesystem::path& file);

/// Of their pixels.
std::uint64_t image_bytes(std::int64_t images, std::int64_t image_px);

/// Tells how much disk the images will take, if it is much. @throws Error(kData), with both figures, if `images` of
/// this size need more than the disk of `file` has free
void expect_space(const std::filesystem::path& file, std::int64_t images, std::int64_t image_px,
                  const Progress& progress);

}  // namespace roclip::bench
