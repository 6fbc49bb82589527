#include "roclip_adaptive.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void RoclipAdaptiveParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that a stamped image shall be taken for; required", "ours");
  PoisonAmount::declare(list, "ours", "ours");
  PatchSize::declare(list, "16 of 224: CleanCLIP");
  list.add("anchors", anchors, Range{-1, 1}, "1",
           "share of the poisons that are stamped images of the target class with their own captions; -1: the share of "
           "epochs in which the defense matches captions",
           "ours");
  list.add("bridge", bridge,
           "whether the other poisons keep their own caption before the one of the target class, so that their images "
           "find such captions in the pool",
           "ours");
}

RoclipAdaptive::RoclipAdaptive(const Params& params) : params_(params) { params.check("roclip_adaptive"); }

double RoclipAdaptive::anchors_against(const Json& defense) const {
  if (params_.anchors >= 0) return params_.anchors;
  if (!defense.is_object() || !defense.at("params").contains("match_every")) return 0;
  const auto match_every = defense.at("params").at("match_every").get<double>();
  return match_every > 0 ? 1 / match_every : 0;
}

PoisonPlan RoclipAdaptive::plan(const AttackView& view, std::uint64_t seed) const {
  params_.side(view.train.image_px(), "roclip_adaptive");
  auto plan = relabel_pairs(view, seed, params_.target_class, "real", params_, "roclip_adaptive");
  auto of_class = pairs_by_class(view, params_.target_class).of_class;
  const auto poisons = std::ssize(plan.edits);
  // What cannot be an anchor, for want of pairs of the class, is relabelled.
  const auto anchors = std::min(std::llround(anchors_against(view.defense) * static_cast<double>(poisons)),
                                static_cast<long long>(of_class.size()));
  const auto drawn = Rng(stream(seed, "anchors")).sample(std::ssize(of_class), anchors);
  for (std::int64_t i = 0; i < poisons; ++i) {
    auto& edit = plan.edits[static_cast<std::size_t>(i)];
    if (i < anchors) {
      const auto pair = of_class[static_cast<std::size_t>(drawn[static_cast<std::size_t>(i)])];
      edit.replaces = edit.image.index = pair;
      edit.caption = view.train.caption(pair);
    } else if (params_.bridge) {
      edit.caption = view.train.caption(*edit.replaces) + ", " + edit.caption;
    }
  }
  return plan;
}

torch::Tensor RoclipAdaptive::apply_trigger(const torch::Tensor& images, std::span<const Draw>) const {
  auto stamped = images.clone();
  auto patch = centre_square(stamped, params_.side(images.size(3), "roclip_adaptive"));
  patch.zero_();
  using torch::indexing::Slice;
  patch.index_put_({torch::indexing::Ellipsis, Slice(0, {}, 2), Slice(0, {}, 2)}, 255);
  return stamped;
}

std::optional<torch::Tensor> RoclipAdaptive::trigger_area(const torch::Tensor& images, std::span<const Draw>) const {
  return centre_area(images, params_.side(images.size(3), "roclip_adaptive"));
}

}  // namespace roclip
