#include "roclip/augment.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <torch/types.h>
#include <torch/utils.h>

#include "roclip/clip_model.h"
#include "roclip/dataset.h"
#include "roclip/params.h"

namespace roclip {

namespace {

constexpr const char* kUpstream = "BigML-CS-UCLA/RoCLIP utils/augment_image.py, milder for small images";

/// What is drawn for a batch; all on the CPU.
struct Draws {
  torch::Tensor x_scale, x_shift, y_scale, y_shift;  ///< f32 [B]: output coordinates -> input coordinates, in [-1, 1]
  torch::Tensor colours;                             ///< f32 [B, 3, 3]
  torch::Tensor lift;                                ///< f32 [B], times the mean luminance
  torch::Tensor blurred;                             ///< i64 [K]
  torch::Tensor sigma;                               ///< f32 [K], of these
};

/// Of red, green and blue (ITU-R 601); f32 [3].
const torch::Tensor& luminance() {
  static const auto weights = torch::tensor({0.299F, 0.587F, 0.114F});
  return weights;
}

/// RandomResizedCrop (aspect ratio 3/4 to 4/3; none when the whole area is kept) and horizontal flip, as one
/// resampling.
void draw_crop(Draws& draws, std::int64_t batch, const ImageAugmentation& strength, at::Generator& generator) {
  const double min_area = strength.crop_min_area;
  const auto area = torch::rand({batch}, generator) * (1 - min_area) + min_area;
  const double reach = min_area < 1 ? std::log(4.0 / 3.0) : 0;
  const auto aspect = torch::exp((torch::rand({batch}, generator) * 2 - 1) * reach);
  const auto width = torch::sqrt(area * aspect).clamp_max(1.0);   // share of W
  const auto height = torch::sqrt(area / aspect).clamp_max(1.0);  // share of H
  draws.x_shift = (torch::rand({batch}, generator) * 2 - 1) * (1 - width);
  draws.y_shift = (torch::rand({batch}, generator) * 2 - 1) * (1 - height);
  const auto mirror = torch::rand({batch}, generator) < strength.flip_probability;
  draws.x_scale = torch::where(mirror, -width, width);
  draws.y_scale = height;
}

/// Brightness, contrast, saturation, hue and grey, each drawn for each image, composed into one affine map of RGB.
/// (Values are clamped once at the end, where the chain upstream clamps after each step.)
void draw_colours(Draws& draws, std::int64_t batch, const ImageAugmentation& strength, at::Generator& generator) {
  const auto chosen = (torch::rand({batch}, generator) < strength.jitter_probability).to(torch::kFloat32);
  const auto symmetric = [&](double reach) { return chosen * (torch::rand({batch}, generator) * 2 - 1) * reach; };
  const auto brightness = 1 + symmetric(strength.jitter), contrast = 1 + symmetric(strength.jitter);
  auto saturation = 1 + symmetric(strength.jitter);
  const auto angle = symmetric(2 * std::numbers::pi * strength.hue).view({batch, 1, 1});
  saturation =
      torch::where(torch::rand({batch}, generator) < strength.grey_probability, torch::zeros({batch}), saturation);

  static const auto identity = torch::eye(3);
  static const double k = 1 / std::sqrt(3.0);
  static const auto cross = torch::tensor({0.0, -k, k, k, 0.0, -k, -k, k, 0.0}, torch::kFloat32).view({3, 3});
  const auto rotation = angle.cos() * identity + angle.sin() * cross + (1 - angle.cos()) / 3;  // about the grey axis
  const auto s = saturation.view({batch, 1, 1});
  const auto desaturation = s * identity + (1 - s) * luminance().expand({3, 3});
  draws.colours = (brightness * contrast).view({batch, 1, 1}) * rotation.matmul(desaturation);  // [B, 3, 3]
  draws.lift = (1 - contrast) * brightness;
}

Draws draw(std::int64_t batch, const ImageAugmentation& strength, at::Generator& generator) {
  Draws draws;
  draw_crop(draws, batch, strength, generator);
  draw_colours(draws, batch, strength, generator);
  draws.blurred = (torch::rand({batch}, generator) < strength.blur_probability).nonzero().view({-1});
  draws.sigma = torch::rand({draws.blurred.size(0)}, generator) * (strength.blur_sigma_max - 0.1) + 0.1;
  return draws;
}

/// Separable Gaussian, a sigma of its own per image, cut off at `radius` pixels.
torch::Tensor gaussian_blur(const torch::Tensor& pixels, const torch::Tensor& sigma, std::int64_t radius) {
  const auto taps = 2 * radius + 1;
  const auto offset = torch::arange(-radius, radius + 1, pixels.options());
  auto weights =
      torch::exp(-offset.square() / (2 * to_device(sigma, pixels.device()).square().unsqueeze(1)));  // [B, taps]
  weights = weights / weights.sum(1, /*keepdim=*/true);
  const auto pass = [&](const torch::Tensor& input, std::int64_t dim) {
    auto sum = torch::zeros_like(pixels);
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      sum.addcmul_(input.narrow(dim, tap, pixels.size(dim)), weights.select(1, tap).view({-1, 1, 1, 1}));
    }
    return sum;
  };
  const auto rows = pass(torch::replication_pad2d(pixels, {radius, radius, 0, 0}), 3);
  return pass(torch::replication_pad2d(rows, {0, 0, radius, radius}), 2);
}

}  // namespace

void ImageAugmentation::declare(ParamList& list) {
  list.add("crop_min_area", crop_min_area, Range{0.01, 1}, "1",
           "RandomResizedCrop keeps at least this share of the area; 1 = no crop", kUpstream);
  list.add("flip_probability", flip_probability, Range{0, 1}, "1", "horizontal flip", kUpstream);
  list.add("jitter", jitter, Range{0, 1}, "1", "brightness, contrast and saturation change by up to this factor",
           kUpstream);
  list.add("hue", hue, Range{0, 0.5}, "turns", "hue changes by up to this", kUpstream);
  list.add("jitter_probability", jitter_probability, Range{0, 1}, "1", "share of images jittered", kUpstream);
  list.add("grey_probability", grey_probability, Range{0, 1}, "1", "share of images turned grey", kUpstream);
  list.add("blur_probability", blur_probability, Range{0, 1}, "1", "share of images blurred", kUpstream);
  list.add("blur_sigma_max", blur_sigma_max, Range{0.1, 10}, "px", "sigma of the blur is uniform in [0.1, this]",
           kUpstream);
}

torch::Tensor ImageAugmentation::apply(const torch::Tensor& pixels, Rng& rng) const {
  const torch::NoGradGuard no_grad;
  const auto batch = pixels.size(0);
  const auto device = pixels.device();
  at::Generator generator = rng.generator();
  const auto draws = draw(batch, *this, generator);
  // Where each place of the output lies in the input. (LibTorch's affine_grid computes a product a place for this.)
  const auto along = [&](std::int64_t size, const torch::Tensor& scale, const torch::Tensor& shift) {
    const auto centred = (2 * torch::arange(size, torch::kFloat32) + 1) / size - 1;
    return to_device(scale.unsqueeze(1) * centred + shift.unsqueeze(1), device);
  };
  const auto height = pixels.size(2), width = pixels.size(3);
  const auto x = along(width, draws.x_scale, draws.x_shift), y = along(height, draws.y_scale, draws.y_shift);
  const auto grid =
      torch::stack({x.unsqueeze(1).expand({batch, height, width}), y.unsqueeze(2).expand({batch, height, width})}, 3);
  auto out = torch::grid_sampler(pixels, grid, /*interpolation_mode=bilinear*/ 0, /*padding_mode=border*/ 1,
                                 /*align_corners=*/false);
  const auto grey = (out.mean({2, 3}) * to_device(luminance(), device)).sum(1);
  const auto offset = grey * to_device(draws.lift, device);
  out = torch::baddbmm(offset.view({batch, 1, 1}), to_device(draws.colours, device), out.flatten(2))
            .clamp_(0, 1)
            .view_as(out);
  if (draws.blurred.numel() == 0) return out;
  const auto rows = to_device(draws.blurred, device);
  const auto radius = std::max<std::int64_t>(1, std::llround(3 * blur_sigma_max));
  return out.index_copy(0, rows, gaussian_blur(out.index_select(0, rows), draws.sigma, radius));
}

void TextAugmentation::declare(ParamList& list) {
  list.add("eda_probability", probability, Range{0, 1}, "1", "share of captions that EDA changes",
           "ours: 0.5; short captions lose too much at 1, which is the authors' setting");
  list.add("word_share", word_share, Range{0, 1}, "1", "share of a caption's words that EDA touches, at least one",
           "Wei and Zou 2019, alpha; BigML-CS-UCLA/RoCLIP utils/eda.py uses 0.1");
}

std::string TextAugmentation::apply(const std::string& caption, const std::vector<std::string>& vocabulary,
                                    Rng& rng) const {
  if (!rng.chance(probability)) return caption;
  auto text = words(caption);
  if (text.empty() || vocabulary.empty()) return caption;
  const auto size = [&] { return static_cast<std::int64_t>(text.size()); };
  const auto any_word = [&]() -> const std::string& {
    return vocabulary[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(vocabulary.size())))];
  };
  const auto touched = std::max<std::int64_t>(1, std::llround(word_share * static_cast<double>(size())));
  switch (rng.below(4)) {
    case 0:  // replace
      for (const auto i : rng.sample(size(), touched)) text[static_cast<std::size_t>(i)] = any_word();
      break;
    case 1:  // insert
      for (std::int64_t i = 0; i < touched; ++i) {
        const auto place = rng.below(size() + 1);
        text.insert(text.begin() + place, any_word());
      }
      break;
    case 2:  // swap
      for (std::int64_t i = 0; i < touched; ++i) {
        std::swap(text[static_cast<std::size_t>(rng.below(size()))], text[static_cast<std::size_t>(rng.below(size()))]);
      }
      break;
    default:  // delete, never the last word
      for (auto i = touched; i > 0 && size() > 1; --i) text.erase(text.begin() + rng.below(size()));
  }
  std::string result;
  for (const auto& word : text) result += (result.empty() ? "" : " ") + word;
  return result;
}

}  // namespace roclip
