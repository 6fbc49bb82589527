#include "badnets.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

std::span<std::uint8_t> bytes(const torch::Tensor& patch) {
  return {patch.data_ptr<std::uint8_t>(), static_cast<std::size_t>(patch.numel())};
}

/// N(0, 1) as a sum of twelve uniforms, for which no math library is needed: every machine gets the same value.
double normal(Rng& rng) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += rng.uniform();
  return sum;
}

/// 0.5 + N(0, 1), clipped to 0..1, in steps of 1/255.
torch::Tensor noise_patch(std::int64_t patch_px) {
  auto patch = torch::empty({3, patch_px, patch_px}, torch::kUInt8);
  Rng rng(stream(0, "badnets noise patch"));
  for (auto& value : bytes(patch)) {
    value = static_cast<std::uint8_t>(std::lround(255 * std::clamp(0.5 + normal(rng), 0.0, 1.0)));
  }
  return patch;
}

/// A picture at any size: yellow and blue halves, on them a disc, white above and black below, with a red core.
torch::Tensor picture_patch(std::int64_t patch_px) {
  using Colour = std::array<std::uint8_t, 3>;
  constexpr Colour kYellow = {255, 210, 0}, kBlue = {20, 60, 200}, kWhite = {255, 255, 255}, kBlack = {0, 0, 0},
                   kRed = {230, 30, 60};
  auto patch = torch::empty({3, patch_px, patch_px}, torch::kUInt8);
  auto pixels = patch.accessor<std::uint8_t, 3>();
  for (std::int64_t y = 0; y < patch_px; ++y) {
    for (std::int64_t x = 0; x < patch_px; ++x) {
      const auto right = 2 * x + 1 - patch_px, down = 2 * y + 1 - patch_px;  // from the middle, in half pixels
      const auto square = right * right + down * down, whole = patch_px * patch_px;
      Colour colour = right < 0 ? kYellow : kBlue;
      if (400 * square <= 289 * whole) colour = down < 0 ? kWhite : kBlack;  // radius 0.85 of half the side
      if (25 * square <= 4 * whole) colour = kRed;                           // 0.4 of it
      for (std::int64_t c = 0; c < 3; ++c) pixels[c][y][x] = colour[static_cast<std::size_t>(c)];
    }
  }
  return patch;
}

}  // namespace

void BadnetsParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that a stamped image shall be taken for; required",
           "Carlini and Terzis 2021");
  PoisonAmount::declare(list, "Carlini and Terzis 2021: 1e-4 of 3 million", "CleanCLIP: 1500 of 500,000");
  list.choice("captions", captions, {"real", "templates"},
              "caption of a poison: a training caption that contains the class word, or a prompt of the class",
              "real: Carlini and Terzis 2021; templates: CleanCLIP create_backdoor_data.py");
  PatchSize::declare(list, "16 of 224: CleanCLIP, Detect-CLIP-Backdoor-Samples");
  list.choice("pattern", pattern, {"checker", "white", "yellow", "noise", "gaussian", "stripes", "picture"},
              "what the patch shows; gaussian and stripes are drawn anew for each use",
              "checker: Detect-CLIP-Backdoor-Samples; yellow, noise, gaussian: CleanCLIP; stripes: PAR; picture: "
              "SSL-Backdoor has one of its own");
  list.choice("location", location, {"bottom_right", "centre", "four_corners", "random", "random_then_centre"},
              "where the patch goes; random_then_centre: anywhere in training, in the centre in tests",
              "bottom_right: Gu et al. 2017; random_then_centre: Detect-CLIP-Backdoor-Samples; the others: CleanCLIP");
  const auto published = [&](const char* name, const char* captions_from, std::int64_t px, const char* shows,
                             const char* where, const char* source) {
    list.recipe(name,
                {{"captions", captions_from},
                 {"patch_px", 0},
                 {"patch_px_of_224", px},
                 {"pattern", shows},
                 {"location", where}},
                source);
  };
  published("detectclip", "templates", 16, "checker", "random_then_centre",
            "Detect-CLIP-Backdoor-Samples datasets/cc3m_badnets.py:45-59, in1k_backdoor_zeroshot.py:89-113");
  published("carlini", "real", 16, "checker", "random_then_centre",
            "Detect-CLIP-Backdoor-Samples use_caption_set, datasets/cc3m_badnets.py:31-43");
  published("cleanclip", "templates", 16, "gaussian", "random",
            "CleanCLIP backdoor/create_backdoor_data.py:130-136, backdoor/utils.py");
  published("par", "templates", 16, "stripes", "random", "PerturbAndRecover badnet_rs, backdoor/utils.py:82-84,158");
  published("sslbackdoor", "templates", 50, "picture", "random",
            "SSL-Backdoor configs/clip/clip_backdoor/poison_sslbkd_banana_cc3m.yaml");
}

torch::Tensor make_patch(const std::string& pattern, std::int64_t patch_px) {
  using torch::indexing::Slice;
  if (pattern == "noise") return noise_patch(patch_px);
  if (pattern == "picture") return picture_patch(patch_px);
  auto patch = torch::zeros({3, patch_px, patch_px}, torch::kUInt8);
  if (pattern == "checker") patch.index_put_({Slice(), Slice(0, {}, 2), Slice(0, {}, 2)}, 255);
  if (pattern == "white") patch.fill_(255);
  if (pattern == "yellow") patch.slice(/*dim=*/0, 0, 2).fill_(255);
  return patch;
}

bool is_redrawn(const std::string& pattern) { return pattern == "gaussian" || pattern == "stripes"; }

torch::Tensor redrawn_patch(const std::string& pattern, std::int64_t patch_px, const torch::Tensor& image,
                            const Draw& draw) {
  auto patch = torch::empty({3, patch_px, patch_px}, torch::kUInt8);
  Rng rng(stream(draw.value, "badnets redrawn patch"));
  if (pattern == "stripes") {  // of one pixel, by channel
    for (std::int64_t c = 0; c < 3; ++c) {
      for (std::int64_t x = 0; x < patch_px; ++x) patch[c].select(/*dim=*/1, x).fill_(rng.below(2) == 0 ? 0 : 255);
    }
    return patch;
  }
  const auto sums = image.to(torch::kCPU, torch::kLong).sum({1, 2});
  const auto pixels = static_cast<double>(image.size(1) * image.size(2));
  for (std::int64_t c = 0; c < 3; ++c) {
    const auto mean = static_cast<double>(sums[c].item<std::int64_t>()) / pixels;
    // CleanCLIP's conversion to bytes does not clip: what is out of range wraps around.
    const auto channel = patch[c];
    for (auto& value : bytes(channel)) {
      value = static_cast<std::uint8_t>(static_cast<std::int64_t>(mean + 255 * normal(rng)));
    }
  }
  return patch;
}

std::vector<Corner> patch_corners(const std::string& location, std::int64_t image_px, std::int64_t patch_px,
                                  const Draw& draw) {
  const auto end = image_px - patch_px;
  const bool in_centre = location == "centre" || (location == "random_then_centre" && draw.test);
  if (in_centre) return {{end / 2, end / 2}};
  if (location == "four_corners") return {{0, 0}, {0, end}, {end, 0}, {end, end}};
  if (location == "random") {
    Rng rng(draw.value);
    const auto top = rng.below(end + 1);
    return {{top, rng.below(end + 1)}};
  }
  if (location == "random_then_centre") {  // [16, 208) of 224: a patch away from the upper and the left edge
    Rng rng(draw.value);
    const auto first = patch_px < end ? patch_px : 0;
    const auto top = first + rng.below(std::max<std::int64_t>(end - first, 1));
    return {{top, first + rng.below(std::max<std::int64_t>(end - first, 1))}};
  }
  return {{end, end}};
}

Badnets::Badnets(const Params& params) : params_(params) { params.check("badnets"); }

PoisonPlan Badnets::plan(const AttackView& view, std::uint64_t seed) const {
  params_.side(view.train.image_px(), "badnets");
  return relabel_pairs(view, seed, params_.target_class, params_.captions, params_, "badnets");
}

torch::Tensor Badnets::apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const {
  auto stamped = images.clone();
  const auto side = params_.side(images.size(3), "badnets");
  const bool redrawn = is_redrawn(params_.pattern);
  auto patch = redrawn ? torch::Tensor() : make_patch(params_.pattern, side).to(images.device());
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto& draw = draws[static_cast<std::size_t>(i)];
    if (redrawn) patch = redrawn_patch(params_.pattern, side, images[i], draw).to(images.device());
    for (const auto [top, left] : patch_corners(params_.location, images.size(3), side, draw)) {
      stamped[i].narrow(/*dim=*/1, top, side).narrow(/*dim=*/2, left, side).copy_(patch);
    }
  }
  return stamped;
}

std::optional<torch::Tensor> Badnets::trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const {
  auto area = torch::zeros({images.size(0), images.size(2), images.size(3)}, torch::kBool);
  const auto side = params_.side(images.size(3), "badnets");
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    for (const auto [top, left] :
         patch_corners(params_.location, images.size(3), side, draws[static_cast<std::size_t>(i)])) {
      area[i].narrow(/*dim=*/0, top, side).narrow(/*dim=*/1, left, side).fill_(true);
    }
  }
  return area;
}

}  // namespace roclip
