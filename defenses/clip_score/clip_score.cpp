#include "clip_score.h"

#include <algorithm>
#include <cmath>

#include <torch/serialize.h>

namespace roclip {

void ClipScoreDefense::Params::declare(ParamList& list) {
  list.choice(
      "suspected", suspected, {"high", "low"},
      "high = pairs that the poisoned model takes to match best, since a trigger is a shortcut; low = those that "
      "match worst",
      "ours; see the README");
  list.add("drop_share", drop_share, Range{0, 1}, "1",
           "most suspicious pairs that are dropped, as a share of all; at least a batch is left",
           "ours, not tuned: as in defense local_outlier");
}

std::vector<Stage> ClipScoreDefense::stages(const Stage& training) const {
  Stage poisoned = training, retrain = training;
  poisoned.plain = true;
  retrain.name = "retrain";
  retrain.weights = Stage::Weights::kReset;
  return {poisoned, retrain};
}

void ClipScoreDefense::before_stage(TrainContext& context) {
  const auto pairs = context.pairs.size();
  const auto all = torch::arange(pairs, torch::kLong);
  context.model.train(false);
  const auto images = embed_images(context.model, context.pairs, all).to(torch::kDouble);
  const auto captions = embed_captions(context.model, context.pairs, all).to(torch::kDouble);
  context.model.train(true);
  const auto similarity = (images * captions).sum(1);  // [N]
  scores_ = params_.suspected == "high" ? similarity : -similarity;
  const auto wanted = std::llround(params_.drop_share * static_cast<double>(pairs));
  const auto left = std::max<std::int64_t>(pairs - wanted, context.stage.batch_size);
  threshold_ = std::get<0>(scores_.sort())[left - 1].item<double>();
  context.clock.lap("scoring");
}

torch::Tensor ClipScoreDefense::choose_samples(TrainContext& context) {
  const auto left = (scores_ <= threshold_).nonzero().squeeze(1);
  return left.index_select(0, torch::randperm(left.size(0), context.order_rng.generator(), torch::kLong));
}

std::optional<Suspicion> ClipScoreDefense::suspicion() const {
  if (!scores_.defined()) return std::nullopt;
  return Suspicion{scores_, threshold_};
}

void ClipScoreDefense::save(torch::serialize::OutputArchive& archive) const {
  if (!scores_.defined()) return;
  archive.write("scores", scores_);
  archive.write("threshold", torch::tensor(threshold_, torch::kDouble));
}

void ClipScoreDefense::load(torch::serialize::InputArchive& archive) {
  torch::Tensor threshold;
  if (!archive.try_read("scores", scores_)) return;
  archive.read("threshold", threshold);
  threshold_ = threshold.item<double>();
}

}  // namespace roclip
