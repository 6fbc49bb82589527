#include "harness/data/image.h"

#include <algorithm>
#include <fstream>
#include <memory>

#include <librsvg/rsvg.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <boost/algorithm/string/trim.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "harness/data/fonts.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

[[noreturn]] void fail(GError* error) {
  std::string reason = error->message;
  boost::trim(reason);
  g_error_free(error);
  throw Error(ErrorKind::kData, "librsvg: " + reason);
}

}  // namespace

cv::Mat decode_rgb(std::string_view bytes, int reduce) {
  const auto mode = reduce == 8   ? cv::IMREAD_REDUCED_COLOR_8
                    : reduce == 4 ? cv::IMREAD_REDUCED_COLOR_4
                    : reduce == 2 ? cv::IMREAD_REDUCED_COLOR_2
                                  : cv::IMREAD_COLOR;
  cv::Mat image;
  try {
    const cv::Mat input(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
    if (!bytes.empty()) image = cv::imdecode(input, mode);
  } catch (const cv::Exception&) {  // e.g. dimensions beyond OpenCV's limits; said below
  }
  if (image.empty()) throw Error(ErrorKind::kData, "not a readable image");
  cv::cvtColor(image, image, cv::COLOR_BGR2RGB);
  return image;
}

cv::Mat decode_on_white(std::string_view bytes) {
  cv::Mat image;
  try {
    const cv::Mat input(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
    if (!bytes.empty()) image = cv::imdecode(input, cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception&) {  // said by decode_rgb()
  }
  if (image.channels() != 4) return decode_rgb(bytes);
  if (image.depth() == CV_16U) image.convertTo(image, CV_8U, 1.0 / 257);
  cv::cvtColor(image, image, cv::COLOR_BGRA2RGBA);
  cv::Mat rgb(image.size(), CV_8UC3);
  for (int y = 0; y < image.rows; ++y) {
    for (int x = 0; x < image.cols; ++x) {
      const auto& from = image.at<cv::Vec4b>(y, x);
      for (int c = 0; c < 3; ++c) {
        const int on_white = from[c] * from[3] + 255 * (255 - from[3]);
        rgb.at<cv::Vec3b>(y, x)[c] = static_cast<std::uint8_t>((on_white + 127) / 255);
      }
    }
  }
  return rgb;
}

cv::Size jpeg_size(std::string_view bytes) {
  const auto at = [&](std::size_t place) { return static_cast<std::uint8_t>(bytes[place]); };
  const auto number = [&](std::size_t place) { return at(place) << 8 | at(place + 1); };
  if (!bytes.starts_with("\xff\xd8")) return {};
  for (std::size_t marker = 2; marker + 9 <= bytes.size() && at(marker) == 0xff;) {
    const auto kind = at(marker + 1);
    const bool is_frame = kind >= 0xc0 && kind <= 0xcf && kind != 0xc4 && kind != 0xc8 && kind != 0xcc;
    if (is_frame) return {number(marker + 7), number(marker + 5)};
    marker += kind == 0xff ? 1 : 2 + static_cast<std::size_t>(number(marker + 2));
  }
  return {};
}

std::string image_file(const fs::path& file) {
  std::error_code error;
  const auto type = fs::status(file, error).type();
  if (type == fs::file_type::not_found) throw Error(ErrorKind::kData, "file not found");
  if (error) throw Error(ErrorKind::kData, error.message());
  if (type != fs::file_type::regular) throw Error(ErrorKind::kData, "not a file");
  std::string bytes(fs::file_size(file), '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(bytes.data(), std::ssize(bytes));
  if (!in) throw Error(ErrorKind::kData, "cannot be read");
  return bytes;
}

cv::Mat render_svg(const std::string& document, std::int64_t px, Ground ground) {
  use_dejavu();
  GError* error = nullptr;
  const std::unique_ptr<RsvgHandle, Release<g_object_unref>> handle(
      rsvg_handle_new_from_data(reinterpret_cast<const guint8*>(document.data()), document.size(), &error));
  if (error != nullptr) fail(error);
  const auto side = static_cast<int>(px);
  const std::unique_ptr<cairo_surface_t, Release<cairo_surface_destroy>> surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, side, side));
  const std::unique_ptr<cairo_t, Release<cairo_destroy>> context(cairo_create(surface.get()));
  const double grey = ground == Ground::kWhite ? 1 : 0;
  cairo_set_source_rgb(context.get(), grey, grey, grey);
  cairo_paint(context.get());
  const RsvgRectangle viewport{0, 0, static_cast<double>(px), static_cast<double>(px)};
  rsvg_handle_render_document(handle.get(), context.get(), &viewport, &error);
  if (error != nullptr) fail(error);
  cairo_surface_flush(surface.get());
  // cairo's RGB24 is a 32-bit word 0xXXRRGGBB, so its bytes are B, G, R, X.
  const cv::Mat words(side, side, CV_8UC4, cairo_image_surface_get_data(surface.get()),
                      static_cast<std::size_t>(cairo_image_surface_get_stride(surface.get())));
  cv::Mat rgb;
  cv::cvtColor(words, rgb, cv::COLOR_BGRA2RGB);
  return rgb;
}

std::string png_bytes(const cv::Mat& rgb) {
  cv::Mat image;
  cv::cvtColor(rgb, image, cv::COLOR_RGB2BGR);
  std::vector<std::uint8_t> bytes;
  if (!cv::imencode(".png", image, bytes)) throw Error(ErrorKind::kInternal, "a picture cannot be made a PNG");
  return {bytes.begin(), bytes.end()};
}

std::string png_bytes(const torch::Tensor& image) {
  const auto rows = image.permute({1, 2, 0}).contiguous();  // [H, W, 3]
  return png_bytes(
      cv::Mat(static_cast<int>(rows.size(0)), static_cast<int>(rows.size(1)), CV_8UC3, rows.data_ptr<std::uint8_t>()));
}

std::string png_base64(const torch::Tensor& image) {
  const auto bytes = png_bytes(image);
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const std::unique_ptr<char, decltype(&g_free)> text(g_base64_encode(data, bytes.size()), &g_free);
  return text.get();
}

torch::Tensor resize_images(const torch::Tensor& images, std::int64_t px) {
  const std::int64_t size = images.size(2);
  if (px == size) return images;
  auto result = torch::empty({images.size(0), 3, px, px}, torch::kUInt8);
  if (size % px == 0) {
    constexpr std::int64_t kChunk = 512;  // bounds the memory of the float copies
    for (std::int64_t first = 0; first < images.size(0); first += kChunk) {
      const std::int64_t last = std::min(first + kChunk, images.size(0));
      const auto means = torch::avg_pool2d(images.slice(0, first, last).to(torch::kFloat), size / px);
      result.slice(0, first, last).copy_(means.add_(0.5).floor_());
    }
    return result;
  }
  const auto planes = images.view({-1, size, size}), resized = result.view({-1, px, px});
  for (std::int64_t i = 0; i < planes.size(0); ++i) {
    const auto mat = [i](const torch::Tensor& stack) {
      const auto side = static_cast<int>(stack.size(1));
      return cv::Mat(side, side, CV_8UC1, stack.data_ptr<std::uint8_t>() + i * stack.stride(0));
    };
    cv::Mat target = mat(resized);
    cv::resize(mat(planes), target, target.size(), 0, 0, cv::INTER_AREA);
  }
  return result;
}

}  // namespace roclip::bench
