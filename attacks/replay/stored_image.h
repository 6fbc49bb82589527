/// The images of a poison set: lossless files, each known by the hash of its pixels.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <torch/types.h>

namespace roclip {

/// XXH3-128 as 32 hexadecimal digits.
std::string hash_of(std::string_view bytes);
/// hash_of() the pixels row by row, a byte each of red, green and blue. @param image uint8 [3, H, W]
std::string pixel_hash(const torch::Tensor& image);

struct StoredImage {
  std::filesystem::path file;
  std::string hash;  ///< of its pixels

  /// Reads the file. @return uint8 [3, image_px, image_px], on the CPU.
  /// @throws Error(kData) naming the file if it is missing, no PNG image, or has another size or other pixels.
  /// [any thread]
  torch::Tensor read(std::int64_t image_px) const;
};

}  // namespace roclip
