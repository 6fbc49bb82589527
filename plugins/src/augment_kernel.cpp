#include "augment_kernel.h"

#include <algorithm>
#include <cmath>

#include "roclip/simd.h"

namespace roclip {

namespace {

/// Between which two input places an output place lies, and how far from the first.
struct Between {
  std::int64_t first, second;
  float share;
};

Between between(std::int64_t place, std::int64_t size, float scale, float shift) {
  const auto n = static_cast<float>(size);
  const float centred = scale * ((2 * static_cast<float>(place) + 1) / n - 1) + shift;
  const float at = std::clamp(((centred + 1) * n - 1) / 2, 0.0F, n - 1);
  const auto first = static_cast<std::int64_t>(at);
  return {first, std::min(first + 1, size - 1), at - static_cast<float>(first)};
}

ROCLIP_SIMD
void crop(const float* in, float* out, std::int64_t height, std::int64_t width, const ImageChange& change, float* row,
          const Between* columns) {
  for (std::int64_t y = 0; y < height; ++y) {
    const Between rows = between(y, height, change.y_scale, change.y_shift);
    for (std::int64_t c = 0; c < 3; ++c) {
      const float *a = in + (c * height + rows.first) * width, *b = in + (c * height + rows.second) * width;
      for (std::int64_t x = 0; x < width; ++x) row[x] = a[x] + (b[x] - a[x]) * rows.share;
      float* to = out + (c * height + y) * width;
      for (std::int64_t x = 0; x < width; ++x) {
        const Between& at = columns[x];
        to[x] = row[at.first] + (row[at.second] - row[at.first]) * at.share;
      }
    }
  }
}

ROCLIP_SIMD
void change_colours(float* pixels, std::int64_t plane, const ImageChange& change) {
  float *red = pixels, *green = pixels + plane, *blue = pixels + 2 * plane;
  float luminance = 0;
  for (std::int64_t i = 0; i < plane; ++i) luminance += 0.299F * red[i] + 0.587F * green[i] + 0.114F * blue[i];
  const float lift = change.lift * luminance / static_cast<float>(plane);
  const auto m = change.colours;
  for (std::int64_t i = 0; i < plane; ++i) {
    const float r = red[i], g = green[i], b = blue[i];
    red[i] = std::min(std::max(m[0] * r + m[1] * g + m[2] * b + lift, 0.0F), 1.0F);
    green[i] = std::min(std::max(m[3] * r + m[4] * g + m[5] * b + lift, 0.0F), 1.0F);
    blue[i] = std::min(std::max(m[6] * r + m[7] * g + m[8] * b + lift, 0.0F), 1.0F);
  }
}

/// Five taps along each line of `size` values, edges repeated.
ROCLIP_SIMD
void blur_rows(const float* in, float* out, std::int64_t lines, std::int64_t size, const float* taps) {
  for (std::int64_t line = 0; line < lines; ++line, in += size, out += size) {
    for (std::int64_t x = 0; x < size; ++x) {
      float sum = 0;
      for (std::int64_t tap = -2; tap <= 2; ++tap) {
        sum += taps[tap + 2] * in[std::clamp<std::int64_t>(x + tap, 0, size - 1)];
      }
      out[x] = sum;
    }
  }
}

ROCLIP_SIMD
void blur_columns(const float* in, float* out, std::int64_t height, std::int64_t width, const float* taps) {
  for (std::int64_t y = 0; y < height; ++y) {
    float* to = out + y * width;
    std::fill_n(to, width, 0.0F);
    for (std::int64_t tap = -2; tap <= 2; ++tap) {
      const float* from = in + std::clamp<std::int64_t>(y + tap, 0, height - 1) * width;
      for (std::int64_t x = 0; x < width; ++x) to[x] += taps[tap + 2] * from[x];
    }
  }
}

void blur(float* pixels, std::int64_t height, std::int64_t width, float sigma, float* scratch) {
  std::array<float, 5> taps{};
  float sum = 0;
  for (int i = 0; i < 5; ++i) {
    const auto offset = static_cast<float>(i - 2);
    sum += taps[static_cast<std::size_t>(i)] = std::exp(-offset * offset / (2 * sigma * sigma));
  }
  for (float& tap : taps) tap /= sum;
  blur_rows(pixels, scratch, 3 * height, width, taps.data());
  for (std::int64_t c = 0; c < 3; ++c) {
    blur_columns(scratch + c * height * width, pixels + c * height * width, height, width, taps.data());
  }
}

}  // namespace

void change_image(const float* in, float* out, std::int64_t height, std::int64_t width, const ImageChange& change,
                  std::vector<float>& scratch) {
  const auto plane = height * width;
  scratch.resize(static_cast<std::size_t>(3 * plane + width));
  static thread_local std::vector<Between> columns;
  columns.resize(static_cast<std::size_t>(width));
  for (std::int64_t x = 0; x < width; ++x) {
    columns[static_cast<std::size_t>(x)] = between(x, width, change.x_scale, change.x_shift);
  }
  crop(in, out, height, width, change, scratch.data() + 3 * plane, columns.data());
  change_colours(out, plane, change);
  if (change.sigma > 0) blur(out, height, width, change.sigma, scratch.data());
}

}  // namespace roclip
