/// The control that no filter can beat: it is told which pairs are poisons, and trains on the others.
#pragma once

#include "roclip/defense.h"

namespace roclip {

class OracleFilterDefense final : public Defense {
 public:
  using Params = NoParams;
  explicit OracleFilterDefense(const Params&) {}

  Capability capability() const override { return Capability::kKnowsPoisons; }
  /// 1 for a poison, else 0.
  void before_stage(TrainContext& context) override;
  /// The pairs that are no poisons, permuted. @throws Error(kMatrix) if they are fewer than a batch
  torch::Tensor choose_samples(TrainContext& context) override;
  std::optional<Suspicion> suspicion() const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  torch::Tensor scores_;  ///< f64 [N]
};

}  // namespace roclip
