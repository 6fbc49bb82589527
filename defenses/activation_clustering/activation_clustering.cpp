#include "activation_clustering.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>

#include "roclip/clustering.h"

namespace roclip {

namespace {

/// Row means of the members of two clusters, [2, D]; undefined if one is empty.
torch::Tensor two_means(const torch::Tensor& rows, const torch::Tensor& in_second) {
  const auto share = in_second.to(torch::kDouble).mean().item<double>();
  if (share == 0 || share == 1) return {};
  return torch::stack({rows.index({~in_second}).mean(0), rows.index({in_second}).mean(0)});
}

}  // namespace

torch::Tensor reduced(const torch::Tensor& rows, std::int64_t dimensions, bool whiten) {
  constexpr double kTiny = 1e-9;  // of the largest variance: below is rounding
  const auto centred = rows - rows.mean(0);
  const auto [values, vectors] = torch::linalg_eigh(centred.t().matmul(centred));  // ascending
  const auto above = values > kTiny * values.select(0, -1).clamp_min(kTiny);
  const auto kept = std::min(dimensions, above.sum().item<std::int64_t>());
  const auto d = rows.size(1);
  const auto along = centred.matmul(vectors.narrow(1, d - kept, kept).flip(1));
  return whiten ? along / values.narrow(0, d - kept, kept).flip(0).sqrt() : along;
}

torch::Tensor two_clusters(const torch::Tensor& rows) {
  torch::Tensor best;
  double least = INFINITY;
  for (std::int64_t axis = 0; axis < rows.size(1); ++axis) {
    const auto first = two_means(rows, rows.select(1, axis) > 0);
    if (!first.defined()) continue;
    const auto second = k_means(rows, first) == 1;
    const auto means = two_means(rows, second);
    if (!means.defined()) continue;
    const auto spread = (rows - means.index_select(0, second.to(torch::kLong))).square().sum().item<double>();
    if (spread < least) {
      least = spread;
      best = second;
    }
  }
  return best;
}

double silhouette(const torch::Tensor& rows, const torch::Tensor& second) {
  constexpr std::int64_t kBlock = 1024;
  const auto member = torch::stack({~second, second}, 1).to(torch::kDouble);  // [n, 2]
  std::vector<torch::Tensor> sums;
  for (const auto& block : rows.split(kBlock)) sums.push_back(torch::cdist(block, rows, 2, 2).matmul(member));
  const auto sum = torch::cat(sums);                    // [n, 2], of exact distances to each cluster
  const auto own_count = member.matmul(member.sum(0));  // [n]
  const auto own = (sum * member).sum(1) / (own_count - 1).clamp_min(1);
  const auto other = (sum * (1 - member)).sum(1) / (static_cast<double>(rows.size(0)) - own_count);
  const auto value = (other - own) / torch::max(own, other);
  return torch::where(own_count > 1, torch::nan_to_num(value, 0.0), torch::zeros_like(value)).mean().item<double>();
}

void ActivationClusteringDefense::Params::declare(ParamList& list) {
  const char* art = "Trusted-AI/adversarial-robustness-toolbox, clustering_analyzer.py";
  list.add("cluster_pairs", cluster_pairs, Range{1, 1e9}, "pairs",
           "mean size of the clusters of captions that take the place of labels",
           "ours, tried at one seed; the paper has labels");
  list.choice("reduction", reduction, {"ica", "pca"},
              "before 2-means: ica = principal components of unit variance, which for 2-means equal independent ones; "
              "pca = principal components",
              "Chen et al. 2018: ica");
  list.add("dimensions", dimensions, Range{1, 4096}, "1", "after the reduction, at most", "Chen et al. 2018");
  list.add("max_share", max_share, Range{0, 0.5}, "1",
           "the smaller half of a cluster is suspected if it is a smaller share of the cluster", art);
  list.add("min_silhouette", min_silhouette, Range{-1, 1}, "1",
           "and if the two halves are separated at least so well, by the mean silhouette", art);
}

Suspicion ActivationClusteringDefense::judge(TrainContext& context) {
  const auto pairs = context.pairs.size();
  const auto all = torch::arange(pairs, torch::kLong);
  const auto images = embed_images(context.model, context.pairs, all).to(torch::kDouble);
  const auto captions = embed_captions(context.model, context.pairs, all).to(torch::kDouble);
  const auto scores = torch::zeros({pairs}, torch::kDouble);
  for (const auto& members : caption_clusters(captions, params_.cluster_pairs, context.rng)) {
    const auto rows = reduced(images.index_select(0, members), params_.dimensions, params_.reduction == "ica");
    const auto second = two_clusters(rows);
    if (!second.defined() || silhouette(rows, second) < params_.min_silhouette) continue;
    const auto share = second.to(torch::kDouble).mean();
    scores.index_copy_(0, members, torch::where(second, 1 - share, share));  // the share of the other half
  }
  const auto batch = std::get<0>(scores.sort())[context.stage.batch_size - 1].item<double>();
  return {scores, std::max(1 - params_.max_share, batch)};  // a batch is left in any case
}

}  // namespace roclip
