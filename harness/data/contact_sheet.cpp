#include <algorithm>

#include <torch/types.h>
#include <opencv2/imgproc.hpp>

#include "harness/data/data.h"
#include "harness/data/image.h"
#include "harness/record/files.h"
#include "roclip/error.h"
#include "roclip/rng.h"

namespace roclip::bench {

namespace {

constexpr int kLinePx = 13;  ///< height of a line of text

/// Breaks the text into lines of whole words, at most `lines` with dots where there is more. OpenCV's font knows ASCII
/// only: other letters become a question mark. @param corner upper left
void draw_text(cv::Mat& sheet, cv::Point corner, const std::string& text, std::size_t letters_per_line, int lines) {
  std::string ascii;
  for (const char c : text) {
    if ((c & 0xC0) != 0x80) ascii += c >= 0 ? c : '?';  // one mark for each UTF-8 sequence
  }
  for (int line = 1; line <= lines && !ascii.empty(); ++line) {
    auto cut = ascii.size() <= letters_per_line ? ascii.size() : ascii.rfind(' ', letters_per_line);
    if (cut == std::string::npos || cut == 0) cut = letters_per_line;
    const bool more = line == lines && cut < ascii.size();
    cv::putText(sheet, ascii.substr(0, cut) + (more ? " ..." : ""), corner + cv::Point(0, line * kLinePx),
                cv::FONT_HERSHEY_SIMPLEX, 0.32, cv::Scalar::all(0), 1, cv::LINE_AA);
    ascii.erase(0, cut + (cut < ascii.size() && ascii[cut] == ' ' ? 1 : 0));
  }
}

/// Without smoothing, so that each pixel is seen, in a grey line. @param image uint8 [3, S, S] @param corner upper left
void draw_image(cv::Mat& sheet, cv::Point corner, const torch::Tensor& image, int side_px) {
  const auto pixels = image.permute({1, 2, 0}).contiguous();  // [H, W, 3]
  const auto side = static_cast<int>(pixels.size(0));
  const cv::Mat small(side, side, CV_8UC3, pixels.data_ptr<std::uint8_t>());
  cv::rectangle(sheet, cv::Rect(corner - cv::Point(1, 1), cv::Size(side_px + 2, side_px + 2)), cv::Scalar::all(220));
  cv::Mat slot = sheet(cv::Rect(corner, cv::Size(side_px, side_px)));
  cv::resize(small, slot, slot.size(), 0, 0, cv::INTER_NEAREST);
}

}  // namespace

void write_contact_sheet(const Dataset& data, const std::string& split, std::int64_t count, std::uint64_t seed,
                         const std::filesystem::path& png) {
  constexpr int kImagePx = 128, kMarginPx = 8, kLines = 4, kColumns = 8;
  constexpr int kCellWidthPx = kImagePx + 2 * kMarginPx, kCellHeightPx = kImagePx + kMarginPx + (kLines + 1) * kLinePx;
  constexpr std::size_t kLettersPerLine = 23;
  if (split != "train" && split != "held_out") {
    throw Error(ErrorKind::kUsage, "contact sheet: expected split train or held_out, got \"" + split + "\"");
  }
  const bool train = split == "train";
  const auto& pairs = train ? data.train : data.held_out.pairs;
  const auto total = pairs ? pairs->size() : 0;
  if (total == 0 || count <= 0) throw Error(ErrorKind::kEmpty, "contact sheet: no image of " + split + " to draw");

  const auto chosen = Rng(stream(seed, "contact sheet")).sample(total, std::min(total, count));
  const auto rows = (static_cast<int>(chosen.size()) + kColumns - 1) / kColumns;
  cv::Mat sheet(rows * kCellHeightPx, kColumns * kCellWidthPx, CV_8UC3, cv::Scalar::all(255));
  for (std::size_t cell = 0; cell < chosen.size(); ++cell) {
    const auto position = static_cast<int>(cell);
    const cv::Point corner(position % kColumns * kCellWidthPx + kMarginPx,
                           position / kColumns * kCellHeightPx + kMarginPx);
    draw_image(sheet, corner, pairs->image(chosen[cell]), kImagePx);
    std::string text = pairs->caption(chosen[cell]);
    if (!train) {
      const auto label = data.held_out.label(chosen[cell]);
      text = "[" + data.classes[static_cast<std::size_t>(label)].name + "] " + text;
    }
    draw_text(sheet, corner + cv::Point(0, kImagePx), text, kLettersPerLine, kLines);
  }
  write_file(png, png_bytes(sheet), Flush::kNo);
}

}  // namespace roclip::bench
