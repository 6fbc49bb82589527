/// The control of every filter: drop as many pairs, but at random, and train again.
#pragma once

#include "roclip/filter.h"

namespace roclip {

class RandomFilterDefense final : public FilterDefense {
 public:
  struct Params {
    double drop_share = 0.1;

    void declare(ParamList& list);
  };

  explicit RandomFilterDefense(Params params) : params_(params) {}

  bool is_control() const override { return true; }
  /// Draws a score for each pair.
  Suspicion judge(TrainContext& context) override;

 private:
  Params params_;
};

}  // namespace roclip
