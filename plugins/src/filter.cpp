#include "roclip/filter.h"

#include <algorithm>
#include <cmath>

#include <torch/serialize.h>

namespace roclip {

std::vector<Stage> FilterDefense::stages(const Stage& training) const {
  Stage poisoned = training, retrain = training;
  poisoned.plain = true;
  retrain.name = "retrain";
  retrain.weights = Stage::Weights::kReset;
  return {poisoned, retrain};
}

void FilterDefense::before_stage(TrainContext& context) {
  context.model.train(false);
  suspicion_ = judge(context);
  context.model.train(true);
  context.clock.lap("scoring");
}

torch::Tensor FilterDefense::choose_samples(TrainContext& context) {
  const auto left = (suspicion_->scores <= *suspicion_->threshold).nonzero().squeeze(1);
  return left.index_select(0, torch::randperm(left.size(0), context.order_rng.generator(), torch::kLong));
}

void FilterDefense::save(torch::serialize::OutputArchive& archive) const {
  if (!suspicion_) return;
  archive.write("scores", suspicion_->scores);
  archive.write("threshold", torch::tensor(*suspicion_->threshold, torch::kDouble));
}

void FilterDefense::load(torch::serialize::InputArchive& archive) {
  torch::Tensor scores, threshold;
  if (!archive.try_read("scores", scores)) return;
  archive.read("threshold", threshold);
  suspicion_ = Suspicion{scores, threshold.item<double>()};
}

Suspicion drop_highest(const torch::Tensor& scores, double share, std::int64_t least) {
  const auto pairs = scores.size(0);
  const auto left = std::max<std::int64_t>(pairs - std::llround(share * static_cast<double>(pairs)), least);
  return {scores, std::get<0>(scores.sort())[left - 1].item<double>()};
}

}  // namespace roclip
