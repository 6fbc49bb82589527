/// Spectral signatures (Tran, Li and Madry, NeurIPS 2018, arXiv 1811.00636): among the images of one label, poisons
/// stand out along the direction of largest variance. CLIP has no labels: clusters of captions take their place.
#pragma once

#include <string>

#include "roclip/defense.h"

namespace roclip {

class SpectralSignatureDefense final : public Defense {
 public:
  struct Params {
    std::int64_t cluster_pairs = 200;
    std::string compare = "within";
    double drop_share = 0.1;

    void declare(ParamList& list);
  };

  explicit SpectralSignatureDefense(Params params) : params_(std::move(params)) {}

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

/// Squared projection of each row, less their mean, on the direction in which the rows vary most.
/// @param rows f64 [n, D], n > 0. @return f64 [n]
torch::Tensor spectral_scores(const torch::Tensor& rows);

}  // namespace roclip
