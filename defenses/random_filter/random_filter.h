/// The control of every filter: drop as many pairs, but at random, and train again.
#pragma once

#include "roclip/defense.h"

namespace roclip {

class RandomFilterDefense final : public Defense {
 public:
  struct Params {
    double drop_share = 0.1;

    void declare(ParamList& list);
  };

  explicit RandomFilterDefense(Params params) : params_(params) {}

  /// Plain training, then "retrain" from the initial weights.
  std::vector<Stage> stages(const Stage& training) const override;
  /// Draws a score for each pair.
  void before_stage(TrainContext& context) override;
  /// The pairs that were not dropped, permuted.
  torch::Tensor choose_samples(TrainContext& context) override;
  std::optional<Suspicion> suspicion() const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  Params params_;
  torch::Tensor scores_;  ///< f64 [N]; undefined before before_stage()
  double threshold_ = 0;  ///< pairs with a higher score are dropped
};

}  // namespace roclip
