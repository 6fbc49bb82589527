#include "badnets.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

/// 0.5 + N(0, 1), clipped to 0..1, in steps of 1/255; the normal is a sum of twelve uniforms, for which no math library
/// is needed: every machine gets the same patch.
torch::Tensor noise_patch(std::int64_t patch_px) {
  auto patch = torch::empty({3, patch_px, patch_px}, torch::kUInt8);
  Rng rng(stream(0, "badnets noise patch"));
  for (auto& value : std::span(patch.data_ptr<std::uint8_t>(), static_cast<std::size_t>(patch.numel()))) {
    double normal = -6;
    for (int i = 0; i < 12; ++i) normal += rng.uniform();
    value = static_cast<std::uint8_t>(std::lround(255 * std::clamp(0.5 + normal, 0.0, 1.0)));
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
  list.add("patch_px", patch_px, Range{1, 1024}, "px", "side of the square patch, at the resolution of the model",
           "CleanCLIP: 16 of 224; larger here, since 2 of 32 would be lost");
  list.choice("pattern", pattern, {"checker", "white", "yellow", "noise"}, "what the patch shows",
              "checker: Detect-CLIP-Backdoor-Samples; yellow, noise: CleanCLIP");
  list.choice("location", location, {"bottom_right", "centre", "four_corners", "random"}, "where the patch goes",
              "bottom_right: Gu et al. 2017; the others: CleanCLIP");
}

torch::Tensor make_patch(const std::string& pattern, std::int64_t patch_px) {
  using torch::indexing::Slice;
  if (pattern == "noise") return noise_patch(patch_px);
  auto patch = torch::zeros({3, patch_px, patch_px}, torch::kUInt8);
  if (pattern == "checker") patch.index_put_({Slice(), Slice(0, {}, 2), Slice(0, {}, 2)}, 255);
  if (pattern == "white") patch.fill_(255);
  if (pattern == "yellow") patch.slice(/*dim=*/0, 0, 2).fill_(255);
  return patch;
}

std::vector<Corner> patch_corners(const std::string& location, std::int64_t image_px, std::int64_t patch_px,
                                  const Draw& draw) {
  const auto end = image_px - patch_px;
  if (location == "centre") return {{end / 2, end / 2}};
  if (location == "four_corners") return {{0, 0}, {0, end}, {end, 0}, {end, end}};
  if (location == "random") {
    Rng rng(draw.value);
    const auto top = rng.below(end + 1);
    return {{top, rng.below(end + 1)}};
  }
  return {{end, end}};
}

Badnets::Badnets(const Params& params) : params_(params), patch_(make_patch(params.pattern, params.patch_px)) {
  params.check("badnets");
}

PoisonPlan Badnets::plan(const AttackView& view, std::uint64_t seed) const {
  const auto target = class_index(view.classes, params_.target_class, "badnets/target_class");
  if (const auto px = view.train.image_px(); params_.patch_px > px) {
    throw Error(ErrorKind::kMatrix, "badnets/patch_px: " + std::to_string(params_.patch_px) +
                                        " does not fit on images of " + std::to_string(px) + " x " +
                                        std::to_string(px) + " px; lower \"patch_px\"");
  }
  const auto pairs = pairs_by_class(view, params_.target_class);
  const auto captions =
      captions_for(view.classes[static_cast<std::size_t>(target)], pairs, params_.captions, "badnets");
  const auto& candidates = pairs.of_others;
  const auto count =
      params_.pairs(view.train.size(), std::ssize(candidates), "badnets", "pairs of other classes may be changed");
  Rng rng(seed), draws(stream(seed, "draws"));
  PoisonPlan plan;
  plan.goal = TriggeredImagesGoal{{target}};
  for (const auto i : rng.sample(std::ssize(candidates), count)) {
    const auto pair = candidates[static_cast<std::size_t>(i)];
    plan.edits.push_back({.replaces = pair,
                          .image = {.set = ImageRef::Set::kTrain, .index = pair},
                          .trigger = Draw{.value = draws.next()},
                          .caption = captions[static_cast<std::size_t>(rng.below(std::ssize(captions)))]});
  }
  return plan;
}

torch::Tensor Badnets::apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const {
  auto stamped = images.clone();
  const auto patch = patch_.to(images.device());
  const auto side = params_.patch_px;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    for (const auto [top, left] :
         patch_corners(params_.location, images.size(3), side, draws[static_cast<std::size_t>(i)])) {
      stamped[i].narrow(/*dim=*/1, top, side).narrow(/*dim=*/2, left, side).copy_(patch);
    }
  }
  return stamped;
}

std::optional<torch::Tensor> Badnets::trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const {
  auto area = torch::zeros({images.size(0), images.size(2), images.size(3)}, torch::kBool);
  const auto side = params_.patch_px;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    for (const auto [top, left] :
         patch_corners(params_.location, images.size(3), side, draws[static_cast<std::size_t>(i)])) {
      area[i].narrow(/*dim=*/0, top, side).narrow(/*dim=*/1, left, side).fill_(true);
    }
  }
  return area;
}

}  // namespace roclip
