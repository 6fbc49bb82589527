/// Local outlier filter (Huang et al., ICLR 2025, arXiv 2502.01385): poisons lie in sparse neighbourhoods of the space
/// of a model that was trained on them. Train, score each pair, drop the most suspicious ones, train again.
#pragma once

#include <string>

#include "outlier_scores.h"
#include "roclip/filter.h"

namespace roclip {

class LocalOutlierDefense final : public FilterDefense {
 public:
  struct Params {
    std::string score = "dao";
    std::int64_t k = 16;
    std::int64_t chunk = 2048;
    std::string reference = "pairs";
    std::string neighbour_index = "formula";
    double drop_share = 0.1;

    void declare(ParamList& list);
  };

  explicit LocalOutlierDefense(Params params) : params_(std::move(params)) {}

  /// Scores all pairs by the model that was trained on them.
  /// @throws Error(kMatrix) if there are too few pairs for k neighbours
  Suspicion judge(TrainContext& context) override;

 private:
  Params params_;
};

}  // namespace roclip
