#include "filter.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

/// @return f64 [1, 3, 1, 1]
torch::Tensor colour(double red, double green, double blue) {
  return torch::tensor({red, green, blue}, torch::kDouble).view({1, 3, 1, 1});
}

/// The weighted sum of the channels. Not a matrix product, whose order of sums differs between machines.
/// @return f64 [B, 1, H, W]
torch::Tensor mix(const torch::Tensor& pixels, double red, double green, double blue) {
  const auto channel = [&](std::int64_t c) { return pixels.narrow(1, c, 1); };
  return red * channel(0) + green * channel(1) + blue * channel(2);
}

torch::Tensor clipped(const torch::Tensor& pixels) { return pixels.clamp(0, 255); }

}  // namespace

void FilterParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that a filtered image shall be taken for; required",
           "Carlini and Terzis 2021");
  PoisonAmount::declare(list, "Detect-CLIP-Backdoor-Samples: 0.001", "ours");
  list.choice("captions", captions, {"real", "templates"},
              "caption of a poison: a training caption that contains the class word, or a prompt of the class",
              "real: Carlini and Terzis 2021; templates: Detect-CLIP-Backdoor-Samples");
  list.add("strength", strength, Range{0.01, 1}, "1", "weight of the filtered image; the image itself has the rest",
           "Detect-CLIP-Backdoor-Samples datasets/cc3m_nashville.py: 1");
  list.recipe("detect_clip", {{"strength", 1.0}, {"captions", "templates"}},
              "Detect-CLIP-Backdoor-Samples datasets/cc3m_nashville.py");
}

torch::Tensor nashville(const torch::Tensor& pixels) {
  const auto on_device = [&](const torch::Tensor& tensor) { return tensor.to(pixels.device()); };
  const auto dark = 0.44 * pixels + 0.56 * torch::minimum(pixels, on_device(colour(247, 176, 153)));
  const auto light = 0.6 * dark + 0.4 * torch::maximum(dark, on_device(colour(0, 70, 150)));
  const auto sepia = torch::cat({mix(light, 0.393, 0.769, 0.189), mix(light, 0.349, 0.686, 0.168),  //
                                 mix(light, 0.272, 0.534, 0.131)},
                                /*dim=*/1);
  const auto warm = clipped(0.8 * light + 0.2 * sepia);
  const auto contrast = clipped(1.2 * (warm - 127.5) + 127.5);
  const auto bright = clipped(1.05 * contrast);
  const auto grey = mix(bright, 0.299, 0.587, 0.114);
  return clipped(grey + 1.2 * (bright - grey));
}

Filter::Filter(const Params& params) : params_(params) { params.check("filter"); }

PoisonPlan Filter::plan(const AttackView& view, std::uint64_t seed) const {
  return relabel_pairs(view, seed, params_.target_class, params_.captions, params_, "filter");
}

torch::Tensor Filter::apply_trigger(const torch::Tensor& images, std::span<const Draw>) const {
  // In double precision, where rounding to whole pixel values comes out the same on every machine.
  const auto pixels = images.to(torch::kDouble);
  const auto filtered = (1 - params_.strength) * pixels + params_.strength * nashville(pixels);
  return filtered.round().clamp_(0, 255).to(torch::kUInt8);
}

}  // namespace roclip
