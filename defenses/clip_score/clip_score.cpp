#include "clip_score.h"

#include <torch/types.h>

namespace roclip {

void ClipScoreDefense::Params::declare(ParamList& list) {
  list.choice("suspected", suspected, {"low", "high"},
              "low = pairs that the poisoned model takes to match worst; high = those that match best",
              "ours: low, as in cleaning web data; see the README");
  list.add("drop_share", drop_share, Range{0, 1}, "1",
           "most suspicious pairs that are dropped, as a share of all; at least a batch is left",
           "ours, not tuned: as in defense local_outlier");
}

Suspicion ClipScoreDefense::judge(TrainContext& context) {
  const auto all = torch::arange(context.pairs.size(), torch::kLong);
  const auto images = embed_images(context.model, context.pairs, all).to(torch::kDouble);
  const auto captions = embed_captions(context.model, context.pairs, all).to(torch::kDouble);
  const auto similarity = (images * captions).sum(1);  // [N]
  return drop_highest(params_.suspected == "high" ? similarity : -similarity, params_.drop_share,
                      context.stage.batch_size);
}

}  // namespace roclip
