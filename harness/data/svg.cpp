#include "harness/data/svg.h"

#include <memory>

#include <librsvg/rsvg.h>
#include <opencv2/imgproc.hpp>

#include "roclip/error.h"

namespace roclip::bench {

namespace {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

[[noreturn]] void fail(GError* error) {
  const std::string reason = error->message;
  g_error_free(error);
  throw Error(ErrorKind::kData, "librsvg: " + reason);
}

}  // namespace

cv::Mat render_svg(const std::string& document, std::int64_t px) {
  GError* error = nullptr;
  const std::unique_ptr<RsvgHandle, Release<g_object_unref>> handle(
      rsvg_handle_new_from_data(reinterpret_cast<const guint8*>(document.data()), document.size(), &error));
  if (error != nullptr) fail(error);
  const auto side = static_cast<int>(px);
  const std::unique_ptr<cairo_surface_t, Release<cairo_surface_destroy>> surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, side, side));
  const std::unique_ptr<cairo_t, Release<cairo_destroy>> context(cairo_create(surface.get()));
  cairo_set_source_rgb(context.get(), 1, 1, 1);
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

}  // namespace roclip::bench
