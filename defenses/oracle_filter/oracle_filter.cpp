#include "oracle_filter.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

Suspicion OracleFilterDefense::judge(TrainContext& context) {
  const auto scores = torch::zeros({context.pairs.size()}, torch::kDouble);
  std::int64_t clean = 0;
  for (std::int64_t i = 0; i < scores.size(0); ++i) {
    if (context.poisoned[static_cast<std::size_t>(i)]) {
      scores[i] = 1;
    } else {
      ++clean;
    }
  }
  if (clean < context.stage.batch_size) {
    throw Error(ErrorKind::kMatrix, "oracle_filter: expected at least a batch of " +
                                        std::to_string(context.stage.batch_size) + " clean pairs, got " +
                                        std::to_string(clean) + "; lower the attack's rate or the batch size");
  }
  return {scores, 0.5};
}

}  // namespace roclip
