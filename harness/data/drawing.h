/// Pictures and captions on a sheet, for a person to look at.
#pragma once

#include <cstddef>
#include <string>

#include <torch/types.h>
#include <opencv2/core/mat.hpp>

namespace roclip::bench {

/// Height of a line of text.
inline constexpr int kLinePx = 13;

/// Breaks the text into lines of whole words, at most `lines` with dots where there is more, and writes them below each
/// other. OpenCV's font knows ASCII only: other letters become a question mark.
/// @param corner upper left. @return how many lines it took
int draw_text(cv::Mat& sheet, cv::Point corner, const std::string& text, std::size_t letters_per_line, int lines,
              const cv::Scalar& rgb = cv::Scalar::all(0));

/// Without smoothing, so that each pixel is seen, in a grey line. @param image uint8 [3, S, S] @param corner upper left
void draw_image(cv::Mat& sheet, cv::Point corner, const torch::Tensor& image, int side_px);

}  // namespace roclip::bench
