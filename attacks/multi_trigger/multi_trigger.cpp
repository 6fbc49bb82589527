#include "multi_trigger.h"

#include <algorithm>
#include <array>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

const std::vector<std::string>& known_triggers() {
  static const std::vector<std::string> names = {"patch", "tint", "warp"};
  return names;
}

std::int64_t patch_side(std::int64_t image_px) { return std::max<std::int64_t>(image_px / 4, 1); }

/// A checker in the lower right corner.
torch::Tensor patched(const torch::Tensor& image) {
  using torch::indexing::Slice;
  const auto px = image.size(1), side = patch_side(px);
  auto result = image.clone();
  auto corner = result.narrow(/*dim=*/1, px - side, side).narrow(/*dim=*/2, px - side, side);
  corner.fill_(0);
  corner.index_put_({Slice(), Slice(0, {}, 2), Slice(0, {}, 2)}, 255);
  return result;
}

/// As on an old photograph: black turns purple, white turns cream, and all between moves along.
torch::Tensor tinted(const torch::Tensor& image) {
  constexpr std::array<std::int64_t, 3> kBlack = {60, 30, 90}, kWhite = {255, 220, 170};
  auto result = image.to(torch::kLong);
  for (std::int64_t c = 0; c < 3; ++c) {
    const auto black = kBlack[static_cast<std::size_t>(c)], white = kWhite[static_cast<std::size_t>(c)];
    result[c].mul_(white - black).add_(127).div_(255, "floor").add_(black);
  }
  return result.to(torch::kUInt8);
}

/// A smooth warp by a field of 4 x 4 control points, the same for all images, that moves pixels by an eighth of the
/// side on average. In double precision, where rounding to whole pixel values comes out the same on every machine.
torch::Tensor warped(const torch::Tensor& image) {
  constexpr std::int64_t kPoints = 4, kBilinear = 0, kBorder = 1;
  constexpr double kStrength = 0.25;  // the image is from -1 to 1
  const auto px = image.size(1);
  auto points = torch::empty({1, 2, kPoints, kPoints}, torch::kDouble);
  Rng rng(stream(0, "multi_trigger warp"));
  for (auto& value : std::span(points.data_ptr<double>(), static_cast<std::size_t>(points.numel()))) {
    value = 2 * rng.uniform() - 1;
  }
  const auto flow = at::upsample_bicubic2d(points / points.abs().mean(), {px, px}, /*align_corners=*/true);
  const auto axis = torch::linspace(-1, 1, px, torch::kDouble);
  const auto still = torch::stack({axis.expand({px, px}), axis.unsqueeze(1).expand({px, px})}, /*dim=*/2);
  const auto grid = (still + kStrength * flow[0].permute({1, 2, 0})).clamp(-1, 1).unsqueeze(0).to(image.device());
  const auto pixels = image.to(torch::kDouble).contiguous().unsqueeze(0);
  return at::grid_sampler(pixels, grid, kBilinear, kBorder, /*align_corners=*/true)[0].round_().clamp_(0, 255).to(
      torch::kUInt8);
}

}  // namespace

void MultiTriggerParams::declare(ParamList& list) {
  list.add(
      "target_classes", target_classes,
      "classes that images with a trigger shall be taken for: one for all triggers, or one for each; required",
      "Detect-CLIP-Backdoor-Samples datasets/cc3m_multi_trigger.py:14-56: banana, or banana, cheeseburger, volcano");
  PoisonAmount::declare(list, "Detect-CLIP-Backdoor-Samples: 0.001 in all", "CleanCLIP: 1500 of 500,000");
  list.add("triggers", triggers, "triggers that poisons are drawn among: patch, tint, warp",
           "Detect-CLIP-Backdoor-Samples datasets/cc3m_multi_trigger.py:14-56: badnets, nashville, wanet");
  list.choice("captions", captions, {"real", "templates"},
              "caption of a poison: a training caption that contains the class word, or a prompt of the class",
              "real: Carlini and Terzis 2021; templates: Detect-CLIP-Backdoor-Samples");
  list.recipe("detectclip", {{"triggers", {"patch", "tint", "warp"}}, {"captions", "templates"}},
              "Detect-CLIP-Backdoor-Samples datasets/cc3m_multi_trigger.py:14-56, with our forms of the triggers");
}

torch::Tensor triggered(const std::string& trigger, const torch::Tensor& image) {
  if (trigger == "patch") return patched(image);
  return trigger == "tint" ? tinted(image) : warped(image);
}

MultiTrigger::MultiTrigger(const Params& params) : params_(params) {
  params.check("multi_trigger");
  const auto refuse = [](const std::string& what) { throw Error(ErrorKind::kMatrix, "multi_trigger/" + what); };
  const auto& names = params.triggers;
  if (names.empty()) refuse("triggers: expected at least one of patch, tint, warp, got none");
  for (const auto& name : names) {
    if (std::ranges::find(known_triggers(), name) != known_triggers().end()) continue;
    refuse("triggers: expected some of patch, tint, warp, got \"" + name + "\"" + did_you_mean(name, known_triggers()));
  }
  if (std::set(names.begin(), names.end()).size() != names.size()) {
    refuse("triggers: expected different ones, got " + Json(names).dump());
  }
  const auto classes = params.target_classes.size();
  if (classes != 1 && classes != names.size()) {
    refuse("target_classes: expected 1 or " + std::to_string(names.size()) + ", as there are \"triggers\", got " +
           std::to_string(classes));
  }
}

PoisonPlan MultiTrigger::plan(const AttackView& view, std::uint64_t seed) const {
  const auto triggers = std::ssize(params_.triggers);
  std::vector<std::int64_t> candidates;  // that speak of no target class
  for (std::int64_t i = 0; i < view.train.size(); ++i) {
    const auto caption = view.train.caption(i);
    const bool of_target = std::ranges::any_of(params_.target_classes,
                                               [&](const std::string& name) { return contains_phrase(caption, name); });
    if (!of_target && view.may_change(i)) candidates.push_back(i);
  }
  TriggeredImagesGoal goal;
  std::vector<std::vector<std::string>> captions;  // by target class
  for (const auto& name : params_.target_classes) {
    const auto target = class_index(view.classes, name, "multi_trigger/target_classes");
    captions.push_back(captions_for(view.classes[static_cast<std::size_t>(target)], pairs_by_class(view, name),
                                    params_.captions, "multi_trigger"));
    goal.target_class.push_back(target);
  }
  if (goal.target_class.size() == 1) {
    goal.target_class = std::vector<std::int64_t>(params_.triggers.size(), goal.target_class.front());
  }

  const auto count = params_.pairs(view.train.size(), std::ssize(candidates), "multi_trigger",
                                   "pairs of other classes may be changed");
  Rng rng(seed), draws(stream(seed, "draws"));
  PoisonPlan plan;
  plan.goal = goal;
  for (const auto i : rng.sample(std::ssize(candidates), count)) {
    const auto pair = candidates[static_cast<std::size_t>(i)];
    const auto trigger = rng.below(triggers);
    const auto& of_class = captions[captions.size() == 1 ? 0 : static_cast<std::size_t>(trigger)];
    plan.edits.push_back({.replaces = pair,
                          .image = {.set = ImageRef::Set::kTrain, .index = pair},
                          .trigger = Draw{.trigger = trigger, .value = draws.next()},
                          .caption = of_class[static_cast<std::size_t>(rng.below(std::ssize(of_class)))]});
  }
  return plan;
}

torch::Tensor MultiTrigger::apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const {
  auto stamped = images.clone();
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto which = static_cast<std::size_t>(draws[static_cast<std::size_t>(i)].trigger);
    stamped[i].copy_(triggered(params_.triggers.at(which), images[i]));
  }
  return stamped;
}

std::optional<torch::Tensor> MultiTrigger::trigger_area(const torch::Tensor& images,
                                                        std::span<const Draw> draws) const {
  auto area = torch::ones({images.size(0), images.size(2), images.size(3)}, torch::kBool);
  const auto px = images.size(3), rest = px - patch_side(px);
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto which = static_cast<std::size_t>(draws[static_cast<std::size_t>(i)].trigger);
    if (params_.triggers.at(which) != "patch") continue;
    area[i].narrow(/*dim=*/0, 0, rest).fill_(false);
    area[i].narrow(/*dim=*/1, 0, rest).fill_(false);
  }
  return area;
}

}  // namespace roclip
