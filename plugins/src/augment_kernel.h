/// The loops of ImageAugmentation for one image on the CPU.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace roclip {

/// What is drawn for one image.
struct ImageChange {
  float x_scale, x_shift;        ///< output column -> input column, both in [-1, 1]; a negative scale mirrors
  float y_scale, y_shift;        ///< the same for rows
  std::array<float, 9> colours;  ///< RGB -> RGB, row-major
  float lift;                    ///< times the mean luminance of the cropped image, added to every channel
  float sigma;                   ///< of the blur, in px; 0 = none
};

/// @param in, out f32 [3, height, width], different arrays. @param scratch grows as needed
void change_image(const float* in, float* out, std::int64_t height, std::int64_t width, const ImageChange& change,
                  std::vector<float>& scratch);

}  // namespace roclip
