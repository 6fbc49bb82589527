/// Spectral signatures (Tran, Li and Madry, NeurIPS 2018, arXiv 1811.00636): among the images of one label, poisons
/// stand out along the direction of largest variance. CLIP has no labels: clusters of captions take their place.
#pragma once

#include <string>

#include "roclip/filter.h"

namespace roclip {

class SpectralSignatureDefense final : public FilterDefense {
 public:
  struct Params {
    std::int64_t cluster_pairs = 2000;
    std::string compare = "within";
    double drop_share = 0.1;

    void declare(ParamList& list);
  };

  explicit SpectralSignatureDefense(Params params) : params_(std::move(params)) {}

  /// Scores all pairs by the model that was trained on them.
  Suspicion judge(TrainContext& context) override;

 private:
  Params params_;
};

/// Squared projection of each row, less their mean, on the direction in which the rows vary most.
/// @param rows f64 [n, D], n > 0. @return f64 [n]
torch::Tensor spectral_scores(const torch::Tensor& rows);

}  // namespace roclip
