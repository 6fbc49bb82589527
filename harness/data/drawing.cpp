#include "harness/data/drawing.h"

#include <torch/types.h>
#include <opencv2/imgproc.hpp>

namespace roclip::bench {

int draw_text(cv::Mat& sheet, cv::Point corner, const std::string& text, std::size_t letters_per_line, int lines,
              const cv::Scalar& rgb) {
  std::string ascii;
  for (const char c : text) {
    if ((c & 0xC0) != 0x80) ascii += c >= 0 ? c : '?';  // one mark for each UTF-8 sequence
  }
  int line = 0;
  while (line < lines && !ascii.empty()) {
    auto cut = ascii.size() <= letters_per_line ? ascii.size() : ascii.rfind(' ', letters_per_line);
    if (cut == std::string::npos || cut == 0) cut = letters_per_line;
    const bool more = line + 1 == lines && cut < ascii.size();
    cv::putText(sheet, ascii.substr(0, cut) + (more ? " ..." : ""), corner + cv::Point(0, ++line * kLinePx),
                cv::FONT_HERSHEY_SIMPLEX, 0.32, rgb, 1, cv::LINE_AA);
    ascii.erase(0, cut + (cut < ascii.size() && ascii[cut] == ' ' ? 1 : 0));
  }
  return line;
}

void draw_image(cv::Mat& sheet, cv::Point corner, const torch::Tensor& image, int side_px) {
  const auto pixels = image.permute({1, 2, 0}).contiguous();  // [H, W, 3]
  const auto side = static_cast<int>(pixels.size(0));
  const cv::Mat small(side, side, CV_8UC3, pixels.data_ptr<std::uint8_t>());
  cv::rectangle(sheet, cv::Rect(corner - cv::Point(1, 1), cv::Size(side_px + 2, side_px + 2)), cv::Scalar::all(220));
  cv::Mat slot = sheet(cv::Rect(corner, cv::Size(side_px, side_px)));
  cv::resize(small, slot, slot.size(), 0, 0, cv::INTER_NEAREST);
}

}  // namespace roclip::bench
