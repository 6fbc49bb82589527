/// Filter by CLIP score: pairs are suspected by the cosine similarity of image and caption under the model that was
/// trained on them. Train, score, drop, train again.
#pragma once

#include <string>

#include "roclip/filter.h"

namespace roclip {

class ClipScoreDefense final : public FilterDefense {
 public:
  struct Params {
    std::string suspected = "low";
    double drop_share = 0.1;

    void declare(ParamList& list);
  };

  explicit ClipScoreDefense(Params params) : params_(std::move(params)) {}

  /// Scores all pairs by the model that was trained on them.
  Suspicion judge(TrainContext& context) override;

 private:
  Params params_;
};

}  // namespace roclip
