#include <algorithm>
#include <string>

#include <torch/types.h>
#include <torch/utils.h>
#include <opencv2/imgproc.hpp>

#include "harness/data/data.h"
#include "harness/data/image.h"
#include "roclip/error.h"
#include "roclip/rng.h"

namespace roclip::bench {

namespace {

constexpr int kImagePx = 128, kMarginPx = 8, kLinePx = 13, kLines = 4, kColumns = 8;
constexpr int kCellWidthPx = kImagePx + 2 * kMarginPx, kCellHeightPx = kImagePx + kMarginPx + (kLines + 1) * kLinePx;

/// Writes up to kLines lines of words, the last one cut. OpenCV's font knows ASCII only.
void write_text(cv::Mat& sheet, cv::Point corner, const std::string& text, const cv::Scalar& colour) {
  constexpr std::size_t kLineLength = 23;
  std::string ascii;
  for (const char c : text) {
    if ((c & 0xC0) != 0x80) ascii += c >= 0 ? c : '?';  // one mark for each UTF-8 sequence
  }
  for (int line = 1; line <= kLines && !ascii.empty(); ++line) {
    auto cut = ascii.size() <= kLineLength ? ascii.size() : ascii.rfind(' ', kLineLength);
    if (cut == std::string::npos || cut == 0) cut = kLineLength;
    cv::putText(sheet, ascii.substr(0, cut), corner + cv::Point(0, line * kLinePx), cv::FONT_HERSHEY_SIMPLEX, 0.32,
                colour, 1, cv::LINE_AA);
    ascii.erase(0, cut + 1);
  }
}

}  // namespace

void write_contact_sheet(const Dataset& data, const std::string& split, std::int64_t count, std::uint64_t seed,
                         const std::filesystem::path& png) {
  if (split != "train" && split != "held_out") {
    throw Error(ErrorKind::kUsage, "contact sheet: expected split train or held_out, got \"" + split + "\"");
  }
  const bool train = split == "train";
  const auto& images = train ? data.train.images : data.held_out.images;
  const auto& captions = train ? data.train.captions : data.held_out.captions;
  const auto total = static_cast<std::int64_t>(captions.size());
  if (total == 0 || count <= 0) throw Error(ErrorKind::kEmpty, "contact sheet: no image of " + split + " to draw");

  const auto chosen = Rng(stream(seed, "contact sheet")).sample(total, std::min(total, count));
  const auto rows = (static_cast<int>(chosen.size()) + kColumns - 1) / kColumns;
  cv::Mat sheet(rows * kCellHeightPx, kColumns * kCellWidthPx, CV_8UC3, cv::Scalar::all(255));
  for (std::size_t cell = 0; cell < chosen.size(); ++cell) {
    const auto position = static_cast<int>(cell);
    const cv::Point corner(position % kColumns * kCellWidthPx + kMarginPx,
                           position / kColumns * kCellHeightPx + kMarginPx);
    const auto pixels = images[chosen[cell]].permute({1, 2, 0}).contiguous();  // [H, W, 3]
    const auto side = static_cast<int>(pixels.size(0));
    const cv::Mat image(side, side, CV_8UC3, pixels.data_ptr<std::uint8_t>());
    cv::Mat slot = sheet(cv::Rect(corner, cv::Size(kImagePx, kImagePx)));
    cv::resize(image, slot, slot.size(), 0, 0, cv::INTER_NEAREST);
    std::string text = captions[static_cast<std::size_t>(chosen[cell])];
    if (!train) {
      const auto label = data.held_out.labels[chosen[cell]].item<std::int64_t>();
      text = "[" + data.classes[static_cast<std::size_t>(label)].name + "] " + text;
    }
    write_text(sheet, corner + cv::Point(0, kImagePx), text, cv::Scalar::all(0));
  }
  write_png(png, sheet);
}

}  // namespace roclip::bench
