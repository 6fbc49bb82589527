#include "label_consistent.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

/// The mean of each channel + N(0, 1) on a scale of 0..1, clipped. The normal is a sum of twelve uniforms, for which no
/// math library is needed: every machine gets the same patch.
torch::Tensor noise_patch(const torch::Tensor& image, std::int64_t side, Rng rng) {
  auto patch = torch::empty({3, side, side}, torch::kUInt8);
  auto pixels = patch.accessor<std::uint8_t, 3>();
  for (std::int64_t c = 0; c < 3; ++c) {
    const auto sum = image[c].sum(torch::kLong).item<std::int64_t>();
    const auto mean = static_cast<double>(sum) / static_cast<double>(255 * image[c].numel());
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        double normal = -6;
        for (int i = 0; i < 12; ++i) normal += rng.uniform();
        pixels[c][y][x] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(mean + normal, 0.0, 1.0)));
      }
    }
  }
  return patch;
}

}  // namespace

void LabelConsistentParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class whose images are stamped, and that others are then taken for; required",
           "Carlini and Terzis 2021");
  PoisonAmount::declare(list, "Detect-CLIP-Backdoor-Samples: 0.001", "CleanCLIP: 1500 of 500,000");
  list.add("cap", cap, "where fewer pairs of the class exist than asked for, stamp all of them; otherwise refuse",
           "ours; Detect-CLIP-Backdoor-Samples datasets/cc3m.py:111-124 takes what exists");
  list.add("patch_px", patch_px, Range{0, 1024}, "px",
           "side of the square patch; 0: 16 of 224 px scaled to the image, at least 8", "CleanCLIP: 16 of 224");
  list.choice("pattern", pattern, {"checker", "white", "redrawn_noise"},
              "what the patch shows; redrawn: drawn anew for each image",
              "checker: Detect-CLIP-Backdoor-Samples; redrawn_noise: CleanCLIP");
  list.choice("location", location, {"bottom_right", "centre", "random", "random_then_centre"},
              "where the patch goes; random_then_centre: anywhere in training, in the centre in tests",
              "bottom_right: Gu et al. 2017; random: CleanCLIP; random_then_centre: Detect-CLIP-Backdoor-Samples");
  list.recipe(
      "detect_clip", {{"pattern", "checker"}, {"location", "random_then_centre"}, {"cap", true}},
      "Detect-CLIP-Backdoor-Samples datasets/cc3m.py:111-124, cc3m_badnets.py:45-59, configs badnets/clean_label");
  list.recipe("cleanclip", {{"pattern", "redrawn_noise"}, {"location", "random"}},
              "CleanCLIP backdoor/create_backdoor_data.py:64-77");
}

std::int64_t patch_side(std::int64_t image_px) {
  return std::max<std::int64_t>(8, std::llround(16 * static_cast<double>(image_px) / 224));
}

PatchPlace patch_place(const std::string& location, std::int64_t image_px, std::int64_t side, const Draw& draw) {
  const auto end = image_px - side;
  if (location == "bottom_right") return {end, end};
  if (location == "centre" || (location == "random_then_centre" && draw.test)) return {end / 2, end / 2};
  Rng rng(draw.value);
  const auto top = rng.below(end + 1);
  return {top, rng.below(end + 1)};
}

torch::Tensor patch_for(const std::string& pattern, const torch::Tensor& image, std::int64_t side, const Draw& draw) {
  using torch::indexing::Slice;
  if (pattern == "redrawn_noise") return noise_patch(image, side, Rng(stream(draw.value, "patch")));
  auto patch = torch::zeros({3, side, side}, torch::kUInt8);
  if (pattern == "white") patch.fill_(255);
  if (pattern == "checker") patch.index_put_({Slice(), Slice(0, {}, 2), Slice(0, {}, 2)}, 255);
  return patch;
}

LabelConsistent::LabelConsistent(const Params& params) : params_(params) { params.check("label_consistent"); }

std::int64_t LabelConsistent::side_on(std::int64_t image_px) const {
  return params_.patch_px > 0 ? params_.patch_px : patch_side(image_px);
}

PoisonPlan LabelConsistent::plan(const AttackView& view, std::uint64_t seed) const {
  const auto target = class_index(view.classes, params_.target_class, "label_consistent/target_class");
  if (const auto px = view.train.image_px(), side = side_on(px); side > px) {
    throw Error(ErrorKind::kMatrix, "label_consistent/patch_px: " + std::to_string(side) +
                                        " does not fit on images of " + std::to_string(px) + " x " +
                                        std::to_string(px) + " px; lower \"patch_px\"");
  }
  const auto candidates = pairs_by_class(view, params_.target_class).of_class;
  const auto size = std::ssize(candidates);
  const auto limit = params_.cap && size > 0 ? std::numeric_limits<std::int64_t>::max() : size;
  const auto count = params_.pairs(view.train.size(), limit, "label_consistent",
                                   "pairs whose caption contains \"" + params_.target_class + "\" may be changed");
  Rng rng(seed), draws(stream(seed, "draws"));
  PoisonPlan plan;
  plan.goal = TriggeredImagesGoal{{target}};
  for (const auto i : rng.sample(size, std::min(count, size))) {
    const auto pair = candidates[static_cast<std::size_t>(i)];
    plan.edits.push_back({.replaces = pair,
                          .image = {.set = ImageRef::Set::kTrain, .index = pair},
                          .trigger = Draw{.value = draws.next()},
                          .caption = view.train.caption(pair)});
  }
  return plan;
}

torch::Tensor LabelConsistent::apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const {
  auto stamped = images.clone();
  const auto side = side_on(images.size(3));
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto& draw = draws[static_cast<std::size_t>(i)];
    const auto [top, left] = patch_place(params_.location, images.size(3), side, draw);
    const auto patch = patch_for(params_.pattern, images[i], side, draw);
    stamped[i].narrow(/*dim=*/1, top, side).narrow(/*dim=*/2, left, side).copy_(patch);
  }
  return stamped;
}

std::optional<torch::Tensor> LabelConsistent::trigger_area(const torch::Tensor& images,
                                                           std::span<const Draw> draws) const {
  auto area = torch::zeros({images.size(0), images.size(2), images.size(3)}, torch::kBool);
  const auto side = side_on(images.size(3));
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto [top, left] = patch_place(params_.location, images.size(3), side, draws[static_cast<std::size_t>(i)]);
    area[i].narrow(/*dim=*/0, top, side).narrow(/*dim=*/1, left, side).fill_(true);
  }
  return area;
}

}  // namespace roclip
