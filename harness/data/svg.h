#pragma once

#include <cstdint>
#include <string>

#include <opencv2/core/mat.hpp>

namespace roclip::bench {

/// Draws an SVG document on white, its aspect kept, in the middle of px x px. @return RGB, uint8 [px, px, 3].
/// @throws Error(kData) with librsvg's reason. [any thread]
cv::Mat render_svg(const std::string& document, std::int64_t px);

}  // namespace roclip::bench
