/// The control that no filter can beat: it is told which pairs are poisons, and trains on the others.
#pragma once

#include "roclip/filter.h"

namespace roclip {

class OracleFilterDefense final : public FilterDefense {
 public:
  using Params = NoParams;
  explicit OracleFilterDefense(const Params&) {}

  Capability capability() const override { return Capability::kKnowsPoisons; }
  /// One stage: who knows the poisons needs no model to find them.
  std::vector<Stage> stages(const Stage& training) const override { return {training}; }
  /// 1 for a poison, else 0. @throws Error(kMatrix) if fewer pairs than a batch are clean
  Suspicion judge(TrainContext& context) override;
};

}  // namespace roclip
