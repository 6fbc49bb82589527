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

/// How many pairs to poison. @throws Error(kMatrix) if there are not that many to choose from.
std::int64_t poison_count(const BadnetsParams& params, std::int64_t pairs, std::int64_t candidates) {
  const std::string key = params.count > 0 ? "count" : "rate";
  const auto count = params.count > 0 ? params.count : std::llround(params.rate * static_cast<double>(pairs));
  if (count == 0) {
    throw Error(ErrorKind::kMatrix, "badnets/rate: " + Json(params.rate).dump() + " of " + std::to_string(pairs) +
                                        " training pairs is not one pair; raise \"rate\" or set \"count\" instead");
  }
  if (count > candidates) {
    throw Error(ErrorKind::kMatrix, "badnets/" + key + ": " + std::to_string(count) + " pairs to poison, but only " +
                                        std::to_string(candidates) + " captions do not contain \"" +
                                        params.target_class + "\"; lower \"" + key + "\"");
  }
  return count;
}

}  // namespace

void BadnetsParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that a stamped image shall be taken for; required",
           "Carlini and Terzis 2021");
  list.add("rate", rate, Range{0, 1}, "1", "poisoned share of the training pairs; set this or count",
           "Carlini and Terzis 2021: 1e-4 of 3 million");
  list.add("count", count, Range{0, 1e9}, "pairs", "number of poisoned pairs; set this or rate",
           "CleanCLIP: 1500 of 500,000");
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
  if ((params.rate > 0) == (params.count > 0)) {
    throw Error(ErrorKind::kMatrix, "badnets: set exactly one of \"rate\" (got " + Json(params.rate).dump() +
                                        ") and \"count\" (got " + std::to_string(params.count) + ")");
  }
}

PoisonPlan Badnets::plan(const AttackView& view, std::uint64_t seed) const {
  const auto target = class_index(view.classes, params_.target_class, "badnets/target_class");
  if (const auto px = view.train.image_px(); params_.patch_px > px) {
    throw Error(ErrorKind::kMatrix, "badnets/patch_px: " + std::to_string(params_.patch_px) +
                                        " does not fit on images of " + std::to_string(px) + " x " +
                                        std::to_string(px) + " px; lower \"patch_px\"");
  }
  std::vector<std::string> captions;     // of the poisons
  std::vector<std::int64_t> candidates;  // pairs that may be poisoned
  for (std::int64_t i = 0; i < view.train.size(); ++i) {
    const auto caption = view.train.caption(i);
    if (contains_phrase(caption, params_.target_class)) {
      captions.push_back(caption);
    } else if (view.may_change(i)) {
      candidates.push_back(i);
    }
  }
  if (params_.captions == "templates") captions = view.classes[static_cast<std::size_t>(target)].prompts;
  if (captions.empty()) {
    throw Error(ErrorKind::kMatrix, "badnets/target_class: no training caption contains \"" + params_.target_class +
                                        "\"; choose another class or set \"captions\": \"templates\"");
  }
  const auto count = poison_count(params_, view.train.size(), std::ssize(candidates));
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
