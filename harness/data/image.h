/// Pictures in and out. This is the only place that knows in which order OpenCV keeps its colours: everyone else sees
/// RGB, uint8 [H, W, 3].
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <torch/types.h>
#include <opencv2/core/mat.hpp>

namespace roclip::bench {

/// Whatever OpenCV decodes: JPEG (turned as its EXIF says), PNG, WebP, ... Transparency is dropped.
/// @param reduce 1, 2, 4 or 8: a picture of 1 / reduce of the sides, which JPEG decodes in less time
/// @throws Error(kData) "not a readable image"
cv::Mat decode_rgb(std::string_view bytes, int reduce = 1);
/// The same, laid on white where it is transparent. @throws Error(kData) "not a readable image"
cv::Mat decode_on_white(std::string_view bytes);

/// Width and height that the header of a JPEG states, before its EXIF turns it; empty for anything else.
cv::Size jpeg_size(std::string_view bytes);

/// The content of a file that is to be an image. @throws Error(kData) "file not found" or why it cannot be read,
/// without the name of the file
std::string image_file(const std::filesystem::path& file);

enum class Ground { kWhite, kBlack };
/// Draws an SVG document, its aspect kept, in the middle of px x px; text has the fonts of use_dejavu().
/// @return RGB, uint8 [px, px, 3].
/// @throws Error(kData) with librsvg's reason. [any thread]
cv::Mat render_svg(const std::string& document, std::int64_t px, Ground ground = Ground::kWhite);

/// The picture as a PNG file, lossless.
std::string png_bytes(const cv::Mat& rgb);
/// @param image uint8 [3, H, W]
std::string png_bytes(const torch::Tensor& image);
/// The same in base64, as pages hold pictures.
std::string png_base64(const torch::Tensor& image);

/// @param images uint8 [N, 3, S, S] @return uint8 [N, 3, px, px]: the argument itself if px is S; means of k x k
/// blocks, halves rounded up, if S is k px; otherwise resized by OpenCV's INTER_AREA.
torch::Tensor resize_images(const torch::Tensor& images, std::int64_t px);

}  // namespace roclip::bench
