#include "random_filter.h"

#include <algorithm>

#include <torch/types.h>

namespace roclip {

void RandomFilterDefense::Params::declare(ParamList& list) {
  list.add("drop_share", drop_share, Range{0, 1}, "1",
           "pairs that are dropped, as a share of all; at least a batch is left", "ours: as in the other filters");
}

Suspicion RandomFilterDefense::judge(TrainContext& context) {
  const auto pairs = context.pairs.size();
  const auto scores = torch::empty({pairs}, torch::kDouble);
  std::generate_n(scores.data_ptr<double>(), pairs, [&] { return context.rng.uniform(); });
  return drop_highest(scores, params_.drop_share, context.stage.batch_size);
}

}  // namespace roclip
