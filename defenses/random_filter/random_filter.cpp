#include "random_filter.h"

#include <algorithm>
#include <cmath>

#include <torch/serialize.h>

namespace roclip {

void RandomFilterDefense::Params::declare(ParamList& list) {
  list.add("drop_share", drop_share, Range{0, 1}, "1",
           "pairs that are dropped, as a share of all; at least a batch is left", "ours: as in the other filters");
}

std::vector<Stage> RandomFilterDefense::stages(const Stage& training) const {
  Stage poisoned = training, retrain = training;
  poisoned.plain = true;
  retrain.name = "retrain";
  retrain.weights = Stage::Weights::kReset;
  return {poisoned, retrain};
}

void RandomFilterDefense::before_stage(TrainContext& context) {
  const auto pairs = context.pairs.size();
  scores_ = torch::empty({pairs}, torch::kDouble);
  std::generate_n(scores_.data_ptr<double>(), pairs, [&] { return context.rng.uniform(); });
  const auto wanted = std::llround(params_.drop_share * static_cast<double>(pairs));
  const auto left = std::max<std::int64_t>(pairs - wanted, context.stage.batch_size);
  threshold_ = std::get<0>(scores_.sort())[left - 1].item<double>();
}

torch::Tensor RandomFilterDefense::choose_samples(TrainContext& context) {
  const auto left = (scores_ <= threshold_).nonzero().squeeze(1);
  return left.index_select(0, torch::randperm(left.size(0), context.order_rng.generator(), torch::kLong));
}

std::optional<Suspicion> RandomFilterDefense::suspicion() const {
  if (!scores_.defined()) return std::nullopt;
  return Suspicion{scores_, threshold_};
}

void RandomFilterDefense::save(torch::serialize::OutputArchive& archive) const {
  if (!scores_.defined()) return;
  archive.write("scores", scores_);
  archive.write("threshold", torch::tensor(threshold_, torch::kDouble));
}

void RandomFilterDefense::load(torch::serialize::InputArchive& archive) {
  torch::Tensor threshold;
  if (!archive.try_read("scores", scores_)) return;
  archive.read("threshold", threshold);
  threshold_ = threshold.item<double>();
}

}  // namespace roclip
