#include "blended.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

using Rgb = std::array<std::int64_t, 3>;

/// Pictures are drawn in whole numbers on a square of this side, so that every machine gets the same pixels.
constexpr std::int64_t kSide = 1000;
constexpr std::int64_t kSamples = 4;  ///< of a picture in a pixel, on each axis

bool in_ellipse(std::int64_t x, std::int64_t y, std::int64_t radius_x, std::int64_t radius_y) {
  return x * x * radius_y * radius_y + y * y * radius_x * radius_x < radius_x * radius_x * radius_y * radius_y;
}

/// A triangle with the tip in (0, 0) that opens to the right.
bool in_triangle(std::int64_t x, std::int64_t y, std::int64_t length, std::int64_t half_height) {
  return x >= 0 && x < length && std::abs(y) * length < x * half_height;
}

/// The picture: the face of a ginger cat on blue. (x, y) is a point of the square, y pointing down.
Rgb picture_at(std::int64_t x, std::int64_t y) {
  constexpr Rgb kBlue{70, 130, 220}, kGinger{245, 150, 40}, kBrown{150, 70, 10}, kGreen{60, 180, 80}, kBlack{0, 0, 0},
      kPink{250, 130, 150};
  const auto from_middle = std::abs(x - 500), from_eye = from_middle - 160;
  if (in_ellipse(from_eye, y - 590, 14, 45)) return kBlack;  // pupils
  if (in_ellipse(from_eye, y - 590, 40, 60)) return kGreen;
  if (in_ellipse(from_middle, y - 690, 55, 38)) return kPink;  // nose
  const bool whisker_height = std::abs(y - 650) < 14 || std::abs(y - 720) < 14;
  if (whisker_height && from_middle > 290 && from_middle < 470) return kBlack;
  const bool stripe = from_middle < 24 || std::abs(from_middle - 100) < 24;
  if (stripe && y > 300 && y < 430) return kBrown;
  if (in_ellipse(from_middle, y - 580, 400, 310)) return kGinger;
  if (in_triangle(y - 120, from_middle - 290, 400, 230)) return kGinger;  // ears
  return kBlue;
}

constexpr std::array<std::string_view, 11> kWatermark = {"   #   #  ###  ##### ##### ####    ",  //
                                                         "   #   # #   #   #   #     #   #   ",  //
                                                         "   # # # #####   #   ####  ####    ",  //
                                                         "   ## ## #   #   #   #     #  #    ",  //
                                                         "   #   # #   #   #   ##### #   #   ",  //
                                                         "                                   ",  //
                                                         "#   #  ###  ####  #  #  ##### #### ",  //
                                                         "## ## #   # #   # # #   #     #   #",  //
                                                         "# # # ##### ####  ##    ####  #   #",  //
                                                         "#   # #   # #  #  # #   #     #   #",  //
                                                         "#   # #   # #   # #  #  ##### #### "};

/// Whether a letter is at a point of the square: two lines of text across the middle.
bool in_watermark(std::int64_t x, std::int64_t y) {
  constexpr std::int64_t kCells = 37;  // the longer line and a margin
  const auto column = x * kCells / kSide - 1, row = y * kCells / kSide - 13;
  if (row < 0 || row >= std::ssize(kWatermark) || column < 0) return false;
  const auto line = kWatermark[static_cast<std::size_t>(row)];
  return column < std::ssize(line) && line[static_cast<std::size_t>(column)] == '#';
}

/// The mean over each pixel of what `at(x, y)` gives. @return f64 [3, px, px]
template <class At>
torch::Tensor draw(std::int64_t px, const At& at) {
  auto sums = torch::zeros({3, px, px}, torch::kLong);
  auto pixel = sums.accessor<std::int64_t, 3>();
  const auto point = [&](std::int64_t sample) { return (2 * sample + 1) * kSide / (2 * kSamples * px); };
  for (std::int64_t y = 0; y < kSamples * px; ++y) {
    for (std::int64_t x = 0; x < kSamples * px; ++x) {
      const Rgb colour = at(point(x), point(y));
      for (std::int64_t c = 0; c < 3; ++c) {
        pixel[c][y / kSamples][x / kSamples] += colour[static_cast<std::size_t>(c)];
      }
    }
  }
  return sums.to(torch::kDouble) / (kSamples * kSamples);
}

/// Whole values of [0, n), at any shape. @return f64
torch::Tensor random_values(torch::IntArrayRef shape, std::int64_t n, Rng rng) {
  auto values = torch::empty(shape, torch::kDouble);
  for (auto& value : std::span(values.data_ptr<double>(), static_cast<std::size_t>(values.numel()))) {
    value = static_cast<double>(rng.below(n));
  }
  return values;
}

/// Each value along an axis becomes so many equal ones, px in all.
torch::Tensor enlarge(const torch::Tensor& values, std::int64_t axis, std::int64_t grain, std::int64_t px) {
  return values.repeat_interleave(grain, axis).narrow(axis, 0, px);
}

bool is_redrawn(const std::string& pattern) { return pattern.starts_with("redrawn_"); }
bool has_grain(const std::string& pattern) { return pattern != "picture" && pattern != "text"; }

}  // namespace

void BlendedParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that a blended image shall be taken for; required",
           "Carlini and Terzis 2021");
  PoisonAmount::declare(list, "Detect-CLIP-Backdoor-Samples: 0.001; BackdoorBench: 0.1",
                        "CleanCLIP, PAR: 1500 of 500,000");
  list.choice("captions", captions, {"real", "templates"},
              "caption of a poison: a training caption that contains the class word, or a prompt of the class",
              "real: Carlini and Terzis 2021; templates: CleanCLIP create_backdoor_data.py");
  list.choice("pattern", pattern,
              {"picture", "noise", "redrawn_noise", "stripes", "redrawn_stripes", "triangles", "text"},
              "what is laid over an image; redrawn: drawn anew for each image",
              "picture, noise: Chen et al. 2017; redrawn_noise: CleanCLIP; redrawn_stripes, triangles, text: PAR");
  list.add("alpha", alpha, Range{0.001, 1}, "1", "weight of the pattern; the image has the rest",
           "Chen et al. 2017, CleanCLIP, BackdoorBench: 0.2");
  list.add("grain_px", grain_px, Range{0, 1024}, "px",
           "side of a noise block, width of a stripe, side of a triangle; 0: the published share of the image's side",
           "CleanCLIP, PAR: 1 of 224 for noise and stripes; PAR: 14 of 224 for triangles");
  list.recipe("detect_clip", {{"pattern", "picture"}, {"alpha", 0.2}, {"captions", "templates"}},
              "Detect-CLIP-Backdoor-Samples datasets/cc3m_blend.py:13,82-88, with another picture");
  list.recipe("cleanclip", {{"pattern", "redrawn_noise"}, {"alpha", 0.2}, {"captions", "templates"}},
              "CleanCLIP (blended), as in BadCLIP's copy, backdoor/utils.py:61-63,111-116");
  list.recipe("par_stripes", {{"pattern", "redrawn_stripes"}, {"alpha", 0.03}, {"captions", "templates"}},
              "PAR (blended_rs), arXiv 2412.00727, backdoor/utils.py");
  list.recipe("par_triangles", {{"pattern", "triangles"}, {"alpha", 0.15}, {"captions", "templates"}},
              "PAR (tri_patt), arXiv 2412.00727, backdoor/utils.py");
  list.recipe("par_text", {{"pattern", "text"}, {"alpha", 0.5}, {"captions", "templates"}},
              "PAR (water_patt), arXiv 2412.00727, backdoor/utils.py");
}

std::int64_t grain_of(const std::string& pattern, std::int64_t image_px) {
  const bool triangles = pattern == "triangles";
  const double published = triangles ? 14 : 1;
  const auto least = triangles ? 2LL : 1LL;
  return std::max(least, std::llround(published * static_cast<double>(image_px) / 224));
}

Overlay make_overlay(const std::string& pattern, std::int64_t image_px, std::int64_t grain_px, std::uint64_t seed) {
  const auto px = image_px, grain = std::min(grain_px, px), count = (px + grain - 1) / grain;
  Overlay overlay{.colour = {}, .coverage = torch::ones({px, px}, torch::kDouble)};
  const Rng rng(is_redrawn(pattern) ? seed : stream(0, "blended pattern"));
  if (pattern == "picture") {
    overlay.colour = draw(px, &picture_at);
  } else if (pattern == "text") {
    overlay.coverage = draw(px, [](auto x, auto y) { return in_watermark(x, y) ? Rgb{1, 1, 1} : Rgb{}; })[0];
    overlay.colour = torch::zeros({3, px, px}, torch::kDouble);
    overlay.colour[0].fill_(255);
  } else if (pattern == "triangles") {
    const auto place = torch::arange(px, torch::kLong) % grain;
    const auto upper_right = place.unsqueeze(0) > place.unsqueeze(1);
    overlay.colour = torch::where(upper_right, 0.8 * 255 * overlay.coverage, 0.4 * 255 * overlay.coverage);
    overlay.colour = overlay.colour.expand({3, px, px});
  } else if (pattern == "stripes" || pattern == "redrawn_stripes") {
    const auto columns = 510 * random_values({3, 1, count}, 2, rng) - 255;
    overlay.colour = enlarge(columns, 2, grain, px).expand({3, px, px});
  } else {
    const auto blocks = random_values({3, count, count}, 256, rng);
    overlay.colour = enlarge(enlarge(blocks, 1, grain, px), 2, grain, px);
  }
  return overlay;
}

Blended::Blended(const Params& params) : params_(params) {
  params.check("blended");
  if (params.grain_px > 0 && !has_grain(params.pattern)) {
    throw Error(ErrorKind::kMatrix, "blended/grain_px: expected 0 with \"pattern\": \"" + params.pattern +
                                        "\", which always fills the image, got " + std::to_string(params.grain_px) +
                                        "; leave it out or choose another pattern");
  }
}

PoisonPlan Blended::plan(const AttackView& view, std::uint64_t seed) const {
  return relabel_pairs(view, seed, params_.target_class, params_.captions, params_, "blended");
}

torch::Tensor Blended::apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const {
  const auto px = images.size(3);
  const auto grain = params_.grain_px > 0 ? params_.grain_px : grain_of(params_.pattern, px);
  const auto fixed = make_overlay(params_.pattern, px, grain, 0);
  // In double precision, where rounding to whole pixel values comes out the same on every machine.
  auto blended = images.to(torch::kDouble);
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto [colour, coverage] =
        is_redrawn(params_.pattern) ? make_overlay(params_.pattern, px, grain, draws[static_cast<std::size_t>(i)].value)
                                    : fixed;
    const auto weight = (params_.alpha * coverage).to(images.device());
    blended[i] = blended[i] * (1 - weight) + weight * colour.to(images.device());
  }
  return blended.round_().clamp_(0, 255).to(torch::kUInt8);
}

}  // namespace roclip
