/// Local outlier filter (Huang et al., ICLR 2025, arXiv 2502.01385): poisons lie in sparse neighbourhoods of the space
/// of a model that was trained on them. Train, score each pair, drop the most suspicious ones, train again.
#pragma once

#include <string>

#include "outlier_scores.h"
#include "roclip/defense.h"

namespace roclip {

class LocalOutlierDefense final : public Defense {
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

  /// Plain training, then "retrain" from the initial weights.
  std::vector<Stage> stages(const Stage& training) const override;
  /// Scores all pairs by the model that was trained on them.
  /// @throws Error(kMatrix) if there are too few pairs for k neighbours
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
