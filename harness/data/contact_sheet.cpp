#include <algorithm>
#include <string>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/data.h"
#include "harness/data/drawing.h"
#include "harness/data/image.h"
#include "roclip/error.h"
#include "roclip/rng.h"

namespace roclip::bench {

namespace {

constexpr int kImagePx = 128, kMarginPx = 8, kLines = 4, kColumns = 8;
constexpr int kCellWidthPx = kImagePx + 2 * kMarginPx, kCellHeightPx = kImagePx + kMarginPx + (kLines + 1) * kLinePx;
constexpr std::size_t kLettersPerLine = 23;

}  // namespace

void write_contact_sheet(const Dataset& data, const std::string& split, std::int64_t count, std::uint64_t seed,
                         const std::filesystem::path& png) {
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
  write_png(png, sheet);
}

}  // namespace roclip::bench
