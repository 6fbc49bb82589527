/// Filter by CLIP score: pairs are suspected by the cosine similarity of image and caption under the model that was
/// trained on them. Train, score, drop, train again.
#pragma once

#include <string>

#include "roclip/defense.h"

namespace roclip {

class ClipScoreDefense final : public Defense {
 public:
  struct Params {
    std::string suspected = "high";
    double drop_share = 0.1;

    void declare(ParamList& list);
  };

  explicit ClipScoreDefense(Params params) : params_(std::move(params)) {}

  /// Plain training, then "retrain" from the initial weights.
  std::vector<Stage> stages(const Stage& training) const override;
  /// Scores all pairs by the model that was trained on them.
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
