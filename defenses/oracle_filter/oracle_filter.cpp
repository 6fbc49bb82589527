#include "oracle_filter.h"

#include <torch/serialize.h>
#include <torch/utils.h>

namespace roclip {

void OracleFilterDefense::before_stage(TrainContext& context) {
  scores_ = torch::zeros({context.pairs.size()}, torch::kDouble);
  for (std::int64_t i = 0; i < scores_.size(0); ++i) {
    if (context.poisoned[static_cast<std::size_t>(i)]) scores_[i] = 1;
  }
}

torch::Tensor OracleFilterDefense::choose_samples(TrainContext& context) {
  const auto left = (scores_ == 0).nonzero().squeeze(1);
  if (left.size(0) < context.stage.batch_size) {
    throw Error(ErrorKind::kMatrix, "oracle_filter: expected at least a batch of " +
                                        std::to_string(context.stage.batch_size) + " clean pairs, got " +
                                        std::to_string(left.size(0)) + "; lower the attack's rate or the batch size");
  }
  return left.index_select(0, torch::randperm(left.size(0), context.order_rng.generator(), torch::kLong));
}

std::optional<Suspicion> OracleFilterDefense::suspicion() const {
  if (!scores_.defined()) return std::nullopt;
  return Suspicion{scores_, 0.5};
}

void OracleFilterDefense::save(torch::serialize::OutputArchive& archive) const {
  if (scores_.defined()) archive.write("scores", scores_);
}

void OracleFilterDefense::load(torch::serialize::InputArchive& archive) { archive.try_read("scores", scores_); }

}  // namespace roclip
