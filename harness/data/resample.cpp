#include "harness/data/resample.h"

#include <algorithm>
#include <cmath>
#include <vector>

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

std::uint8_t byte(int sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

/// Each row by itself.
cv::Mat resize_rows(const cv::Mat& rgb, int width) {
  cv::Mat result(rgb.rows, width, CV_8UC3);
  const auto all = taps(rgb.cols, width);
  for (int y = 0; y < rgb.rows; ++y) {
    const auto* row = rgb.ptr<cv::Vec3b>(y);
    auto* out = result.ptr<cv::Vec3b>(y);
    for (const auto& [first, weights] : all) {
      int sums[3] = {1 << (kBits - 1), 1 << (kBits - 1), 1 << (kBits - 1)};
      for (std::size_t i = 0; i < weights.size(); ++i) {
        for (int c = 0; c < 3; ++c) sums[c] += row[first + static_cast<int>(i)][c] * weights[i];
      }
      *out++ = {byte(sums[0]), byte(sums[1]), byte(sums[2])};
    }
  }
  return result;
}

}  // namespace

cv::Mat resize_cubic(const cv::Mat& rgb, std::int64_t height, std::int64_t width) {
  cv::Mat result = rgb;
  if (width != result.cols) result = resize_rows(result, static_cast<int>(width));
  if (height != result.rows) result = resize_rows(result.t(), static_cast<int>(height)).t();
  return result;
}

cv::Mat centre_square(const cv::Mat& rgb, std::int64_t px) {
  const auto side = static_cast<int>(px);
  const auto longer = [&](int length, int shorter) {
    return static_cast<int>(px * length / shorter);  // cut, as torchvision does
  };
  const bool wide = rgb.cols > rgb.rows;
  const int height = wide ? side : longer(rgb.rows, rgb.cols), width = wide ? longer(rgb.cols, rgb.rows) : side;
  const auto middle = [&](int length) { return cvRound((length - side) / 2.0); };  // halves to even, as in Python
  return resize_cubic(rgb, height, width)(cv::Rect(middle(width), middle(height), side, side)).clone();
}

}  // namespace roclip::bench
