/// Filters: train on all pairs, judge each by the model that was trained on them, drop the most suspicious ones, train
/// again from the initial weights.
#pragma once

#include "roclip/defense.h"

namespace roclip {

/// A filter says in judge() which pairs it drops; all else is here. Params and clusters are its own (clustering.h).
class FilterDefense : public Defense {
 public:
  /// Plain training, then "retrain" from the initial weights.
  std::vector<Stage> stages(const Stage& training) const override;
  /// Judges all pairs, with the model in evaluation mode.
  void before_stage(TrainContext& context) override;
  /// The pairs that were not dropped, permuted anew at each call.
  torch::Tensor choose_samples(TrainContext& context) override;
  std::optional<Suspicion> suspicion() const override { return suspicion_; }
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 protected:
  /// Called once, after plain training. Pairs above the threshold, which must be there, are dropped. Less than a batch
  /// left ends the cell with an error.
  virtual Suspicion judge(TrainContext& context) = 0;

 private:
  std::optional<Suspicion> suspicion_;  ///< none before before_stage()
};

/// Drops the highest scores. @param scores f64 [N]. @param share of all pairs that are dropped, 0..1; equal scores are
/// dropped or left together. @param least pairs that are left in any case, at most N
Suspicion drop_highest(const torch::Tensor& scores, double share, std::int64_t least);

}  // namespace roclip
