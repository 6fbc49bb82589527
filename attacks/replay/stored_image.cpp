#include "stored_image.h"

#include <array>
#include <cstdio>
#include <fstream>

#include <torch/types.h>
#include <xxhash.h>
#include <opencv2/imgcodecs.hpp>

#include "roclip/error.h"

namespace roclip {

namespace {

/// "32 x 32", from the first bytes of a PNG file: what it says it holds may be larger than memory. "" of other files.
std::string png_size(const std::filesystem::path& file) {
  constexpr std::string_view kStart("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  std::array<char, 24> head{};
  std::ifstream(file, std::ios::binary).read(head.data(), head.size());
  if (!std::string_view(head.data(), head.size()).starts_with(kStart)) return "";
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(head[i]);
    return std::to_string(value);
  };
  return number(16) + " x " + number(20);
}

}  // namespace

std::string hash_of(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  std::array<char, 33> text{};
  std::snprintf(text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text.data();
}

std::string pixel_hash(const torch::Tensor& image) {
  const auto rows = image.cpu().permute({1, 2, 0}).contiguous();  // [H, W, 3]
  return hash_of({static_cast<const char*>(rows.data_ptr()), static_cast<std::size_t>(rows.numel())});
}

torch::Tensor StoredImage::read(std::int64_t image_px) const {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorKind::kData, file.string() + ": " + what + "; get the poison set again from where it is from");
  };
  if (!std::filesystem::is_regular_file(file)) fail("is missing");
  const auto side = std::to_string(image_px), size = png_size(file);
  if (size.empty()) fail("is not a PNG image");
  if (size != side + " x " + side) fail("is " + size + ", expected " + side + " x " + side);
  cv::Mat bgr;
  try {
    bgr = cv::imread(file.string(), cv::IMREAD_COLOR);
  } catch (const cv::Exception&) {  // e.g. dimensions beyond OpenCV's limits; said below
  }
  if (bgr.empty()) fail("is not a readable image");
  const auto image =
      torch::from_blob(bgr.data, {bgr.rows, bgr.cols, 3}, torch::kUInt8).permute({2, 0, 1}).flip(0).contiguous();
  if (const auto found = pixel_hash(image); found != hash) {
    fail("has other pixels than the manifest says (hash " + found + ", expected " + hash + ")");
  }
  return image;
}

}  // namespace roclip
