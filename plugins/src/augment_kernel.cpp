#include "augment_kernel.h"

#include <algorithm>
#include <cmath>

#include "roclip/simd.h"

namespace roclip {

namespace {

/// Where each place of a resampled line lies in the input: this share of the way from `first` to its neighbour.
struct Resampling {
  std::vector<std::int32_t> first;
  std::vector<float> share;

  void set(std::int64_t size, float scale, float shift) {
    first.resize(static_cast<std::size_t>(size));
    share.resize(static_cast<std::size_t>(size));
    const auto n = static_cast<float>(size);
    for (std::size_t i = 0; i < first.size(); ++i) {
      const float centred = scale * ((2 * static_cast<float>(i) + 1) / n - 1) + shift;
      const float at = std::clamp(((centred + 1) * n - 1) / 2, 0.0F, n - 1);
      first[i] = static_cast<std::int32_t>(at);
      share[i] = at - static_cast<float>(first[i]);
    }
  }
};

/// @param row scratch of width + 1 floats: the last is repeated, so that every place has a neighbour
ROCLIP_SIMD
void crop(const float* in, float* __restrict out, std::int64_t height, std::int64_t width, const Resampling& rows,
          const Resampling& columns, float* __restrict row) {
  const std::int32_t* __restrict first = columns.first.data();
  const float* __restrict share = columns.share.data();
  for (std::int64_t y = 0; y < height; ++y) {
    const std::int64_t above = rows.first[static_cast<std::size_t>(y)], below = std::min(above + 1, height - 1);
    const float down = rows.share[static_cast<std::size_t>(y)];
    for (std::int64_t c = 0; c < 3; ++c) {
      const float *a = in + (c * height + above) * width, *b = in + (c * height + below) * width;
      for (std::int64_t x = 0; x < width; ++x) row[x] = a[x] + (b[x] - a[x]) * down;
      row[width] = row[width - 1];
      float* to = out + (c * height + y) * width;
      for (std::int64_t x = 0; x < width; ++x) {
        to[x] = row[first[x]] + (row[first[x] + 1] - row[first[x]]) * share[x];
      }
    }
  }
}

ROCLIP_SIMD
void change_colours(float* pixels, std::int64_t plane, const ImageChange& change) {
  float* __restrict red = pixels, * __restrict green = pixels + plane, * __restrict blue = pixels + 2 * plane;
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

/// Five taps along each line of `size` values, edges repeated. @param row scratch of size + 4 floats
ROCLIP_SIMD
void blur_rows(const float* in, float* __restrict out, std::int64_t lines, std::int64_t size, const float* taps,
               float* __restrict row) {
  const float a = taps[0], b = taps[1], c = taps[2], d = taps[3], e = taps[4];
  for (std::int64_t line = 0; line < lines; ++line, in += size, out += size) {
    row[0] = row[1] = in[0];
    std::copy_n(in, size, row + 2);
    row[size + 2] = row[size + 3] = in[size - 1];
    for (std::int64_t x = 0; x < size; ++x) {
      out[x] = a * row[x] + b * row[x + 1] + c * row[x + 2] + d * row[x + 3] + e * row[x + 4];
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

void blur(float* pixels, std::int64_t height, std::int64_t width, float sigma, float* scratch, float* row) {
  std::array<float, 5> taps{};
  float sum = 0;
  for (int i = 0; i < 5; ++i) {
    const auto offset = static_cast<float>(i - 2);
    sum += taps[static_cast<std::size_t>(i)] = std::exp(-offset * offset / (2 * sigma * sigma));
  }
  for (float& tap : taps) tap /= sum;
  blur_rows(pixels, scratch, 3 * height, width, taps.data(), row);
  for (std::int64_t c = 0; c < 3; ++c) {
    blur_columns(scratch + c * height * width, pixels + c * height * width, height, width, taps.data());
  }
}

}  // namespace

void change_image(const float* in, float* out, std::int64_t height, std::int64_t width, const ImageChange& change,
                  std::vector<float>& scratch) {
  const auto plane = height * width;
  scratch.resize(static_cast<std::size_t>(3 * plane + width + 4));
  float* row = scratch.data() + 3 * plane;
  static thread_local Resampling rows, columns;
  rows.set(height, change.y_scale, change.y_shift);
  columns.set(width, change.x_scale, change.x_shift);
  crop(in, out, height, width, rows, columns, row);
  change_colours(out, plane, change);
  if (change.sigma > 0) blur(out, height, width, change.sigma, scratch.data(), row);
}

}  // namespace roclip
