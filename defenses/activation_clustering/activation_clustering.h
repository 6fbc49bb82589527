/// Activation clustering (Chen et al. 2018, arXiv 1811.03728): the images of one label fall into two clusters where
/// some are poisons, and the smaller one holds them. CLIP has no labels: clusters of captions take their place.
#pragma once

#include <string>

#include "roclip/filter.h"

namespace roclip {

class ActivationClusteringDefense final : public FilterDefense {
 public:
  struct Params {
    std::int64_t cluster_pairs = 1000;
    std::string reduction = "ica";
    std::int64_t dimensions = 10;
    double max_share = 0.35;
    double min_silhouette = 0.1;

    void declare(ParamList& list);
  };

  explicit ActivationClusteringDefense(Params params) : params_(std::move(params)) {}

  /// Scores all pairs by the model that was trained on them.
  Suspicion judge(TrainContext& context) override;

 private:
  Params params_;
};

/// The rows less their mean, along the directions in which they vary most, that one first.
/// @param rows f64 [n, D]. @param whiten whether to scale to equal variance along each. @return f64 [n, at most
/// `dimensions`]; no columns for equal rows
torch::Tensor reduced(const torch::Tensor& rows, std::int64_t dimensions, bool whiten);

/// 2-means from a split at 0 along each axis; the one with the least spread around its means.
/// @return bool [n], whether in the second cluster; undefined where rows do not split
torch::Tensor two_clusters(const torch::Tensor& rows);

/// Mean silhouette (Rousseeuw 1987) of two clusters, neither of which is empty, -1..1.
double silhouette(const torch::Tensor& rows, const torch::Tensor& second);

}  // namespace roclip
