#include "harness/model/kernels/convolution.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace roclip::bench {

namespace {

using std::int64_t;

/// What a product does with its tiles: `left` and `right` are padded images and weight, or one of them and a gradient.
struct Product {
  enum Kind { kForward, kWeight, kPadded } kind;
  const ConvShape& shape;
  const float *left, *right;
  float* to;
};

/// Of each output pixel, the place in the padded images where its first run of inputs begins.
std::vector<int64_t> first_inputs(const ConvShape& s) {
  std::vector<int64_t> places;
  places.reserve(static_cast<std::size_t>(s.out_pixels()));
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t y = 0; y < s.out_height(); ++y) {
      const int64_t row = (b * s.padded_height() + y * s.stride) * s.padded_width();
      for (int64_t x = 0; x < s.out_width(); ++x) places.push_back((row + x * s.stride) * s.in);
    }
  }
  return places;
}

template <int kLanes>
struct Lanes {
  typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

  [[gnu::always_inline]] static inline void load(const float* from, Vector& vector) {
    std::memcpy(&vector, from, sizeof vector);
  }
  [[gnu::always_inline]] static inline void store(float* to, const Vector& vector) {
    std::memcpy(to, &vector, sizeof vector);
  }
};

/// One instruction set's way through the products: kRows x kWidth sums in registers, two vectors wide.
template <int kLanes, int kRows>
struct Tiles : Lanes<kLanes> {
  using typename Lanes<kLanes>::Vector;
  using Lanes<kLanes>::load, Lanes<kLanes>::store;
  static constexpr int64_t kWidth = 2 * kLanes;
  template <int kCount>
  using Sums = Vector[kCount][2];

  /// Columns begin .. begin + kWidth of `rows` rows, side by side, with zeros where there are no such columns.
  [[gnu::always_inline]] static inline void copy_strip(const float* from, int64_t rows, int64_t columns, int64_t begin,
                                                       float* strip) {
    const int64_t count = std::min(kWidth, columns - begin);
    for (int64_t r = 0; r < rows; ++r, strip += kWidth) {
      const float* row = from + r * columns + begin;
      for (int64_t i = 0; i < count; ++i) strip[i] = row[i];
      for (int64_t i = count; i < kWidth; ++i) strip[i] = 0;
    }
  }

  template <int kCount>
  [[gnu::always_inline]] static inline void clear(Sums<kCount>& sums) {
    for (auto& row : sums) row[0] = row[1] = Vector{};
  }

  /// Row r of the sums goes to to[r], of which the first `count` floats exist.
  template <int kCount>
  [[gnu::always_inline]] static inline void put(const Sums<kCount>& sums, float* const* to, int64_t count, bool add) {
    for (int r = 0; r < kCount; ++r) {
      if (count >= kWidth) {
        Vector low{}, high{};
        if (add) {
          load(to[r], low);
          load(to[r] + kLanes, high);
        }
        store(to[r], low + sums[r][0]);
        store(to[r] + kLanes, high + sums[r][1]);
        continue;
      }
      float from[kWidth];
      store(from, sums[r][0]);
      store(from + kLanes, sums[r][1]);
      for (int64_t i = 0; i < count; ++i) to[r][i] = add ? to[r][i] + from[i] : from[i];
    }
  }

  /// sums[r] += left[r][run, i] * strip[run, i], over `runs` runs of `length` floats that lie `apart`.
  template <int kCount>
  [[gnu::always_inline]] static inline void multiply(const float* const* left, int64_t runs, int64_t apart,
                                                     int64_t length, const float* strip, Sums<kCount>& sums) {
    for (int64_t run = 0; run < runs; ++run) {
      for (int64_t i = run * apart; i < run * apart + length; ++i, strip += kWidth) {
        Vector low, high;
        load(strip, low);
        load(strip + kLanes, high);
        for (int r = 0; r < kCount; ++r) {
          sums[r][0] += left[r][i] * low;
          sums[r][1] += left[r][i] * high;
        }
      }
    }
  }

  template <int kCount>
  [[gnu::always_inline]] static inline void forward_tile(const ConvShape& s, const float* padded, const int64_t* places,
                                                         const float* strip, float* out, int64_t count) {
    const float* left[kCount];
    float* to[kCount];
    for (int r = 0; r < kCount; ++r) {
      left[r] = padded + places[r];
      to[r] = out + r * s.out;
    }
    Sums<kCount> sums;
    clear<kCount>(sums);
    multiply<kCount>(left, s.kernel, s.padded_width() * s.in, s.kernel * s.in, strip, sums);
    put<kCount>(sums, to, count, false);
  }

  [[gnu::always_inline]] static inline void forward(const ConvShape& s, const float* padded, const float* weight,
                                                    float* out) {
    const auto places = first_inputs(s);
    const auto pixels = s.out_pixels(), depth = s.kernel * s.kernel * s.in;
    std::vector<float> strip(static_cast<std::size_t>(depth * kWidth));
    for (int64_t begin = 0; begin < s.out; begin += kWidth) {
      copy_strip(weight, depth, s.out, begin, strip.data());
      const auto count = s.out - begin;
      int64_t p = 0;
      for (; p + kRows <= pixels; p += kRows) {
        forward_tile<kRows>(s, padded, &places[p], strip.data(), out + p * s.out + begin, count);
      }
      for (; p + 4 <= pixels; p += 4) {
        forward_tile<4>(s, padded, &places[p], strip.data(), out + p * s.out + begin, count);
      }
      for (; p < pixels; ++p) {
        forward_tile<1>(s, padded, &places[p], strip.data(), out + p * s.out + begin, count);
      }
    }
  }

  template <int kCount>
  [[gnu::always_inline]] static inline void weight_tile(const ConvShape& s, const float* padded, const int64_t* places,
                                                        int64_t pixels, const float* strip, float* grad_weight,
                                                        int64_t count) {
    float* to[kCount];
    for (int r = 0; r < kCount; ++r) to[r] = grad_weight + r * s.out;
    Sums<kCount> sums;
    clear<kCount>(sums);
    for (int64_t p = 0; p < pixels; ++p, strip += kWidth) {
      const float* left = padded + places[p];
      Vector low, high;
      load(strip, low);
      load(strip + kLanes, high);
      for (int r = 0; r < kCount; ++r) {
        sums[r][0] += left[r] * low;
        sums[r][1] += left[r] * high;
      }
    }
    put<kCount>(sums, to, count, true);
  }

  [[gnu::always_inline]] static inline void backward_weight(const ConvShape& s, const float* padded, const float* grad,
                                                            float* grad_weight) {
    constexpr int64_t kChunk = 128;  // pixels whose inputs and gradients stay in the first cache
    const auto places = first_inputs(s);
    const auto pixels = s.out_pixels(), length = s.kernel * s.in;
    std::fill_n(grad_weight, s.kernel * length * s.out, 0.0F);
    std::vector<float> strip(static_cast<std::size_t>(kChunk * kWidth));
    for (int64_t chunk = 0; chunk < pixels; chunk += kChunk) {
      const auto n = std::min(kChunk, pixels - chunk);
      for (int64_t begin = 0; begin < s.out; begin += kWidth) {
        copy_strip(grad + chunk * s.out, n, s.out, begin, strip.data());
        const auto count = s.out - begin;
        for (int64_t run = 0; run < s.kernel; ++run) {
          const float* left = padded + run * s.padded_width() * s.in;
          float* to = grad_weight + run * length * s.out + begin;
          int64_t i = 0;
          for (; i + kRows <= length; i += kRows) {
            weight_tile<kRows>(s, left + i, &places[chunk], n, strip.data(), to + i * s.out, count);
          }
          for (; i + 4 <= length; i += 4) {
            weight_tile<4>(s, left + i, &places[chunk], n, strip.data(), to + i * s.out, count);
          }
          for (; i < length; ++i) {
            weight_tile<1>(s, left + i, &places[chunk], n, strip.data(), to + i * s.out, count);
          }
        }
      }
    }
  }

  template <int kCount>
  [[gnu::always_inline]] static inline void padded_tile(const ConvShape& s, const float* grad, const int64_t* places,
                                                        const float* strips, float* grad_padded) {
    const float* left[kCount];
    float* to[kCount];
    for (int r = 0; r < kCount; ++r) left[r] = grad + r * s.out;
    for (int64_t run = 0; run < s.kernel; ++run) {
      for (int64_t begin = 0; begin < s.kernel * s.in; begin += kWidth, strips += s.out * kWidth) {
        for (int r = 0; r < kCount; ++r) to[r] = grad_padded + places[r] + run * s.padded_width() * s.in + begin;
        Sums<kCount> sums;
        clear<kCount>(sums);
        multiply<kCount>(left, 1, 0, s.out, strips, sums);
        put<kCount>(sums, to, s.kernel * s.in - begin, true);
      }
    }
  }

  [[gnu::always_inline]] static inline void backward_padded(const ConvShape& s, const float* weight, const float* grad,
                                                            float* grad_padded) {
    const auto places = first_inputs(s);
    const auto pixels = s.out_pixels(), length = s.kernel * s.in;
    std::fill_n(grad_padded, s.padded_size(), 0.0F);
    // The transposed weight in strips: of each run of inputs, kWidth inputs by all outputs.
    const auto strips_a_run = (length + kWidth - 1) / kWidth;
    std::vector<float> strips(static_cast<std::size_t>(s.kernel * strips_a_run * s.out * kWidth));
    for (int64_t run = 0; run < s.kernel; ++run) {
      for (int64_t i = 0; i < length; ++i) {
        const float* from = weight + (run * length + i) * s.out;
        float* to = &strips[static_cast<std::size_t>((run * strips_a_run + i / kWidth) * s.out * kWidth + i % kWidth)];
        for (int64_t o = 0; o < s.out; ++o) to[o * kWidth] = from[o];
      }
    }
    int64_t p = 0;
    for (; p + kRows <= pixels; p += kRows) {
      padded_tile<kRows>(s, grad + p * s.out, &places[p], strips.data(), grad_padded);
    }
    for (; p + 4 <= pixels; p += 4) padded_tile<4>(s, grad + p * s.out, &places[p], strips.data(), grad_padded);
    for (; p < pixels; ++p) padded_tile<1>(s, grad + p * s.out, &places[p], strips.data(), grad_padded);
  }

  [[gnu::always_inline]] static inline void run(const Product& product) {
    switch (product.kind) {
      case Product::kForward:
        return forward(product.shape, product.left, product.right, product.to);
      case Product::kWeight:
        return backward_weight(product.shape, product.left, product.right, product.to);
      case Product::kPadded:
        return backward_padded(product.shape, product.left, product.right, product.to);
    }
  }
};

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512vl,avx512bw,avx512dq,fma")]] void run_avx512(const Product& product) {
  Tiles<16, 12>::run(product);
}
[[gnu::target("avx2,fma")]] void run_avx2(const Product& product) { Tiles<8, 6>::run(product); }
#endif
void run_any(const Product& product) { Tiles<4, 6>::run(product); }

void run(const Product& product) {
#if defined(__x86_64__)
  static const auto best = __builtin_cpu_supports("x86-64-v4")   ? run_avx512
                           : __builtin_cpu_supports("x86-64-v3") ? run_avx2
                                                                 : run_any;
  best(product);
#else
  run_any(product);
#endif
}

}  // namespace

void pad_images(const ConvShape& s, const float* images, float* padded) {
  const auto row = s.width * s.in, border = s.padding * s.in, edge = s.padding * s.padded_width() * s.in;
  for (int64_t b = 0; b < s.batch; ++b) {
    padded = std::fill_n(padded, edge, 0.0F);
    for (int64_t y = 0; y < s.height; ++y, images += row) {
      padded = std::fill_n(padded, border, 0.0F);
      padded = std::copy_n(images, row, padded);
      padded = std::fill_n(padded, border, 0.0F);
    }
    padded = std::fill_n(padded, edge, 0.0F);
  }
}

void unpad_images(const ConvShape& s, const float* padded, float* images) {
  const auto row = s.width * s.in, padded_row = s.padded_width() * s.in;
  for (int64_t b = 0; b < s.batch; ++b) {
    const float* from = padded + ((b * s.padded_height() + s.padding) * s.padded_width() + s.padding) * s.in;
    for (int64_t y = 0; y < s.height; ++y, from += padded_row, images += row) std::copy_n(from, row, images);
  }
}

void conv_forward(const ConvShape& shape, const float* padded, const float* weight, float* out) {
  run({Product::kForward, shape, padded, weight, out});
}
void conv_backward_weight(const ConvShape& shape, const float* padded, const float* grad, float* grad_weight) {
  run({Product::kWeight, shape, padded, grad, grad_weight});
}
void conv_backward_padded(const ConvShape& shape, const float* weight, const float* grad, float* grad_padded) {
  run({Product::kPadded, shape, weight, grad, grad_padded});
}

}  // namespace roclip::bench
