#include "wanet.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

/// Values uniform in [-1, 1). @return f64
torch::Tensor uniform_values(torch::IntArrayRef shape, Rng rng) {
  auto values = torch::empty(shape, torch::kDouble);
  for (auto& value : std::span(values.data_ptr<double>(), static_cast<std::size_t>(values.numel()))) {
    value = 2 * rng.uniform() - 1;
  }
  return values;
}

/// Where each pixel of an image comes from if nothing moves; -1 and 1 are the centres of the outermost pixels.
/// @return f64 [px, px, 2], x and y
torch::Tensor identity_grid(std::int64_t px) {
  const auto axis = torch::linspace(-1, 1, px, torch::kDouble);
  return torch::stack({axis.expand({px, px}), axis.unsqueeze(1).expand({px, px})}, /*dim=*/2);
}

}  // namespace

void WanetParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that a warped image shall be taken for; required",
           "Carlini and Terzis 2021");
  PoisonAmount::declare(list, "Carlini and Terzis 2021: 1e-4 of 3 million", "CleanCLIP: 1500 of 500,000");
  list.choice("captions", captions, {"real", "templates"},
              "caption of a poison: a training caption that contains the class word, or a prompt of the class",
              "real: Carlini and Terzis 2021; templates: CleanCLIP create_backdoor_data.py");
  list.add("k", k, Range{2, 1024}, "1", "control points of the warp on each side, cut at the side of the image in px",
           "BackdoorBench config/attack/wanet/default.yaml");
  list.add("s", s, Range{0.01, 64}, "1", "strength of the warp: pixels move by about half of it",
           "ours, for 32 px: see the README; BackdoorBench: 0.5, CleanCLIP: 1");
  list.add("grid_rescale", grid_rescale, Range{0.5, 1.5}, "1",
           "factor on the places that pixels come from: below 1 zooms in",
           "BackdoorBench config/attack/wanet/default.yaml");
  list.add("noise_ratio", noise_ratio, Range{0, 100}, "1",
           "pairs in noise mode for each poison: a warp with noise under the pair's own caption",
           "CleanCLIP: none; BackdoorBench: cross_ratio 2");
  list.recipe("cleanclip",
              {{"k", 224}, {"s", 1.0}, {"grid_rescale", 1.0}, {"noise_ratio", 0.0}, {"captions", "templates"}},
              "CleanCLIP (warped), as in BadCLIP's copy, backdoor/utils.py:23-51");
  list.recipe("backdoorbench", {{"k", 4}, {"s", 0.5}, {"grid_rescale", 1.0}, {"noise_ratio", 2.0}},
              "BackdoorBench config/attack/wanet/default.yaml");
}

torch::Tensor warp_field(std::int64_t k, std::int64_t image_px) {
  const auto side = std::min(k, image_px);
  const auto points = uniform_values({1, 2, side, side}, Rng(stream(0, "wanet field")));
  const auto field = at::upsample_bicubic2d(points / points.abs().mean(), {image_px, image_px}, /*align_corners=*/true);
  return field[0].permute({1, 2, 0}).contiguous();
}

Wanet::Wanet(const Params& params) : params_(params) { params.check("wanet"); }

PoisonPlan Wanet::plan(const AttackView& view, std::uint64_t seed) const {
  const auto target = class_index(view.classes, params_.target_class, "wanet/target_class");
  const auto pairs = pairs_by_class(view, params_.target_class);
  const auto captions = captions_for(view.classes[static_cast<std::size_t>(target)], pairs, params_.captions, "wanet");
  const auto& candidates = pairs.of_others;
  const auto count =
      params_.pairs(view.train.size(), std::ssize(candidates), "wanet", "pairs of other classes may be changed");
  auto others = pairs.of_class;  // that may be warped in noise mode
  Rng rng(seed), draws(stream(seed, "draws"));
  PoisonPlan plan;
  plan.goal = TriggeredImagesGoal{{target}};
  const auto order = rng.sample(std::ssize(candidates), std::ssize(candidates));
  for (std::int64_t i = 0; i < std::ssize(candidates); ++i) {
    const auto pair = candidates[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
    if (i >= count) {
      others.push_back(pair);
      continue;
    }
    plan.edits.push_back({.replaces = pair,
                          .image = {.set = ImageRef::Set::kTrain, .index = pair},
                          .trigger = Draw{.value = draws.next() & ~kWarpNoise},
                          .caption = captions[static_cast<std::size_t>(rng.below(std::ssize(captions)))]});
  }
  const auto noisy = std::llround(params_.noise_ratio * static_cast<double>(count));
  if (noisy > std::ssize(others)) {
    throw Error(ErrorKind::kMatrix, "wanet/noise_ratio: " + std::to_string(noisy) + " pairs in noise mode, but only " +
                                        std::to_string(others.size()) +
                                        " pairs that may change are left; lower \"noise_ratio\"");
  }
  for (const auto i : rng.sample(std::ssize(others), noisy)) {
    const auto pair = others[static_cast<std::size_t>(i)];
    plan.edits.push_back({.replaces = pair,
                          .image = {.set = ImageRef::Set::kTrain, .index = pair},
                          .trigger = Draw{.value = draws.next() | kWarpNoise},
                          .caption = view.train.caption(pair)});
  }
  return plan;
}

torch::Tensor Wanet::apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const {
  const auto px = images.size(3);
  const auto scale = 1 / static_cast<double>(px);  // the papers' flow is in units of 1 / height
  const auto warp = (identity_grid(px) + params_.s * scale * warp_field(params_.k, px)) * params_.grid_rescale;
  auto grid = warp.expand({images.size(0), px, px, 2}).contiguous();
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto& draw = draws[static_cast<std::size_t>(i)];
    if (draw.test || (draw.value & kWarpNoise) == 0) continue;
    grid[i] += scale * uniform_values({px, px, 2}, Rng(draw.value));
  }
  // In double precision, where rounding to whole pixel values comes out the same on every machine.
  const auto pixels = images.to(torch::kDouble).contiguous();
  constexpr std::int64_t kBilinear = 0, kBorder = 1;
  return at::grid_sampler(pixels, grid.clamp_(-1, 1).to(images.device()), kBilinear, kBorder, /*align_corners=*/true)
      .round_()
      .clamp_(0, 255)
      .to(torch::kUInt8);
}

}  // namespace roclip
