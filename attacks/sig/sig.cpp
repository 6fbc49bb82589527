#include "sig.h"

#include <cmath>
#include <numbers>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void SigParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that an image with the wave shall be taken for; required",
           "Carlini and Terzis 2021");
  PoisonAmount::declare(list, "BackdoorBench: 0.1; BackdoorVLM: 0.01", "CleanCLIP, BadCLIP: 1500 of 500,000");
  list.choice("captions", captions, {"real", "templates"},
              "caption of a poison: a training caption that contains the class word, or a prompt of the class",
              "real: Carlini and Terzis 2021; templates: CleanCLIP create_backdoor_data.py");
  list.choice("mode", mode, {"add", "blend"}, "the image plus the wave, or 0.8 of the image plus 0.2 of the wave",
              "add: Barni et al. 2019, BadCLIP; blend: CleanCLIP");
  list.add("delta", delta, Range{1, 255}, "1", "height of the wave, on a scale of 0..255",
           "BackdoorBench config/attack/sig/default.yaml: 40; CleanCLIP, BadCLIP: 60");
  list.add("frequency", frequency, Range{1, 512}, "1", "periods of the wave across the image", "Barni et al. 2019: 6");
  list.recipe("cleanclip", {{"mode", "blend"}, {"delta", 60.0}, {"frequency", 6}, {"captions", "templates"}},
              "CleanCLIP (SIG, location blended), backdoor/utils.py");
  list.recipe("badclip", {{"mode", "add"}, {"delta", 60.0}, {"frequency", 6}, {"captions", "templates"}},
              "BadCLIP backdoor/utils.py:64-73");
  list.recipe("backdoorbench", {{"mode", "add"}, {"delta", 40.0}, {"frequency", 6}},
              "BackdoorBench config/attack/sig/default.yaml; BackdoorVLM triggers/image/adversarial.py:276");
}

torch::Tensor wave(double delta, std::int64_t frequency, std::int64_t px) {
  auto values = torch::empty({px}, torch::kDouble);
  for (std::int64_t x = 0; x < px; ++x) {
    const auto turns = static_cast<double>(frequency * x % px) / static_cast<double>(px);
    // Math libraries differ in the last digits of a sine: nine of them are kept.
    values[x] = delta * (std::round(1e9 * std::sin(2 * std::numbers::pi * turns)) / 1e9);
  }
  return values;
}

Sig::Sig(const Params& params) : params_(params) { params.check("sig"); }

PoisonPlan Sig::plan(const AttackView& view, std::uint64_t seed) const {
  if (const auto px = view.train.image_px(); 2 * params_.frequency >= px) {
    throw Error(ErrorKind::kMatrix, "sig/frequency: expected less than half of the " + std::to_string(px) +
                                        " px of an image's side, got " + std::to_string(params_.frequency) +
                                        "; lower \"frequency\"");
  }
  return relabel_pairs(view, seed, params_.target_class, params_.captions, params_, "sig");
}

torch::Tensor Sig::apply_trigger(const torch::Tensor& images, std::span<const Draw>) const {
  const bool blend = params_.mode == "blend";
  const auto signal = wave(params_.delta, params_.frequency, images.size(3)).to(images.device());
  // In double precision, where rounding to whole pixel values comes out the same on every machine.
  const auto pixels = images.to(torch::kDouble);
  const auto waved = blend ? 0.8 * pixels + 0.2 * signal : pixels + signal;
  return waved.round().clamp_(0, 255).to(torch::kUInt8);
}

}  // namespace roclip
