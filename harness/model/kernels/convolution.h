/// The loops of conv_block.h for the CPU, in f32 and on one thread. Images are [batch, height, width, channels],
/// row-major; weights [kernel, kernel, in, out].
///
/// A convolution is a matrix product whose left side is never written out: one output pixel needs `kernel` runs of
/// kernel * in neighbouring floats of the padded image. Twelve pixels by 32 channels of sums stay in the registers of
/// AVX-512 (six by 16 with AVX2). On the maps of the tiny model, 8 x 8 and smaller, this runs at 80 to 130 GFLOP/s
/// where oneDNN, which LibTorch calls, ran at about 50 (results/perf).
#pragma once

#include <cstdint>

namespace roclip::bench {

struct ConvShape {
  std::int64_t batch, height, width, in, out, kernel, stride, padding;

  std::int64_t padded_height() const { return height + 2 * padding; }
  std::int64_t padded_width() const { return width + 2 * padding; }
  std::int64_t padded_size() const { return batch * padded_height() * padded_width() * in; }
  std::int64_t out_height() const { return (padded_height() - kernel) / stride + 1; }
  std::int64_t out_width() const { return (padded_width() - kernel) / stride + 1; }
  std::int64_t out_pixels() const { return batch * out_height() * out_width(); }
};

/// @param padded padded_size() floats, written: the images with a border of zeros
void pad_images(const ConvShape& shape, const float* images, float* padded);

/// @param out [out_pixels, out], written
void conv_forward(const ConvShape& shape, const float* padded, const float* weight, float* out);
/// @param grad [out_pixels, out] @param grad_weight as the weight, written
void conv_backward_weight(const ConvShape& shape, const float* padded, const float* grad, float* grad_weight);
/// @param grad [out_pixels, out] @param grad_padded padded_size() floats, written
void conv_backward_padded(const ConvShape& shape, const float* weight, const float* grad, float* grad_padded);
/// Without the border again. @param images written
void unpad_images(const ConvShape& shape, const float* padded, float* images);

}  // namespace roclip::bench
