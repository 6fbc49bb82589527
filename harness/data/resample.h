/// Pictures at the size that a model takes, as open_clip's preprocessing has it.
#pragma once

#include <cstdint>

#include <opencv2/core/mat.hpp>

namespace roclip::bench {

/// Cubic interpolation (a = -0.5) whose filter widens where a picture shrinks, so that nothing aliases; first across,
/// then down, in bytes. Equal to Pillow's Image.resize(BICUBIC). @param rgb uint8 [H, W, 3]
cv::Mat resize_cubic(const cv::Mat& rgb, std::int64_t height, std::int64_t width);

/// The middle square at px x px: resize_cubic() of the short side to px, then cropped, as torchvision's Resize(px) and
/// CenterCrop(px) do.
/// @param size that the picture has where `rgb` was decoded smaller, since that is rounded: it decides what is cut off
cv::Mat centre_square(const cv::Mat& rgb, std::int64_t px, cv::Size size = {});

}  // namespace roclip::bench
