#include "harness/data/resample.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <opencv2/core.hpp>

#include "harness/record/simd.h"

namespace roclip::bench {

namespace {

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
}

constexpr int kBits = 22;  // of a weight's fraction: with 8 of a byte and 2 to spare, sums fit in 32

/// What one output pixel is made of: inputs first .. first + weights.size() - 1.
struct Taps {
  int first;
  std::vector<int> weights;
};

std::vector<Taps> taps(int in, int out) {
  const double scale = static_cast<double>(in) / out, spread = std::max(scale, 1.0), reach = 2 * spread;
  std::vector<Taps> all;
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - reach + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + reach + 0.5), in);
    std::vector<double> weights;
    double sum = 0;
    for (int x = first; x < end; ++x) {
      weights.push_back(cubic((x - centre + 0.5) / spread));
      sum += weights.back();
    }
    Taps& t = all.emplace_back(Taps{first, {}});
    for (const double weight : weights) t.weights.push_back(cvRound(weight / sum * (1 << kBits)));
  }
  return all;
}

/// out[i] = sum of rows[t][i] * weights[t], rounded: what most of the time goes into.
ROCLIP_SIMD void weigh_rows(const std::uint8_t* const* rows, const int* weights, int taps_count, int count,
                            std::uint8_t* out) {
  constexpr int kBlock = 64;  // whose sums stay in registers
  int i = 0;
  for (; i + kBlock <= count; i += kBlock) {
    int sums[kBlock];
    for (int j = 0; j < kBlock; ++j) sums[j] = 1 << (kBits - 1);
    for (int t = 0; t < taps_count; ++t) {
      const auto* in = rows[t] + i;
      const int weight = weights[t];
      for (int j = 0; j < kBlock; ++j) sums[j] += in[j] * weight;
    }
    for (int j = 0; j < kBlock; ++j) out[i + j] = static_cast<std::uint8_t>(std::clamp(sums[j] >> kBits, 0, 255));
  }
  for (; i < count; ++i) {
    int sum = 1 << (kBits - 1);
    for (int t = 0; t < taps_count; ++t) sum += rows[t][i] * weights[t];
    out[i] = static_cast<std::uint8_t>(std::clamp(sum >> kBits, 0, 255));
  }
}

/// Rows [first, first + count) of the picture that is made `height` rows high.
cv::Mat resize_down(const cv::Mat& rgb, int height, int first, int count) {
  if (height == rgb.rows) return rgb.rowRange(first, first + count);
  cv::Mat result(count, rgb.cols, CV_8UC3);
  const auto all = taps(rgb.rows, height);
  std::vector<const std::uint8_t*> rows;
  for (int y = 0; y < count; ++y) {
    const auto& [from, weights] = all[static_cast<std::size_t>(first + y)];
    const auto used = static_cast<int>(weights.size());
    rows.clear();
    for (int i = 0; i < used; ++i) rows.push_back(rgb.ptr(from + i));
    weigh_rows(rows.data(), weights.data(), used, 3 * rgb.cols, result.ptr(y));
  }
  return result;
}

/// The part `window` of the picture that is made height x width: first across, then down.
cv::Mat resize_window(const cv::Mat& rgb, int height, int width, const cv::Rect& window) {
  cv::Mat turned;
  cv::transpose(rgb, turned);
  cv::Mat narrow;
  cv::transpose(resize_down(turned, width, window.x, window.width), narrow);
  return resize_down(narrow, height, window.y, window.height);
}

}  // namespace

cv::Mat resize_cubic(const cv::Mat& rgb, std::int64_t height, std::int64_t width) {
  const auto rows = static_cast<int>(height), columns = static_cast<int>(width);
  return resize_window(rgb, rows, columns, cv::Rect(0, 0, columns, rows)).clone();
}

cv::Mat centre_square(const cv::Mat& rgb, std::int64_t px, cv::Size size) {
  if (size.empty()) size = rgb.size();
  const auto side = static_cast<int>(px);
  const auto longer = [&](int length, int shorter) {
    return static_cast<int>(px * length / shorter);  // cut, as torchvision does
  };
  const bool wide = size.width > size.height;
  const int height = wide ? side : longer(size.height, size.width);
  const int width = wide ? longer(size.width, size.height) : side;
  const auto middle = [&](int length) { return cvRound((length - side) / 2.0); };  // halves to even, as in Python
  return resize_window(rgb, height, width, cv::Rect(middle(width), middle(height), side, side)).clone();
}

}  // namespace roclip::bench
