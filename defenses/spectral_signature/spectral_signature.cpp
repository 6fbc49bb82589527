#include "spectral_signature.h"

#include <torch/types.h>

#include "roclip/clustering.h"

namespace roclip {

torch::Tensor spectral_scores(const torch::Tensor& rows) {
  const auto centred = rows - rows.mean(0);
  const auto vectors = std::get<1>(torch::linalg_eigh(centred.t().matmul(centred)));  // columns, eigenvalues ascending
  return centred.matmul(vectors.select(1, -1)).square();
}

void SpectralSignatureDefense::Params::declare(ParamList& list) {
  list.add("cluster_pairs", cluster_pairs, Range{1, 1e9}, "pairs",
           "mean size of the clusters of captions that take the place of labels",
           "ours, tried at one seed; the paper has labels");
  list.choice("compare", compare, {"within", "across"},
              "within = the same share of each cluster is dropped; across = the largest scores of all clusters",
              "Tran et al. 2018, algorithm 1: within");
  list.add("drop_share", drop_share, Range{0, 1}, "1",
           "most suspicious pairs that are dropped, as a share of all; at least a batch is left",
           "ours: as in defense local_outlier; 1.5 times the rate of poisons in the paper, which we do not know");
}

Suspicion SpectralSignatureDefense::judge(TrainContext& context) {
  const auto pairs = context.pairs.size();
  const auto all = torch::arange(pairs, torch::kLong);
  const auto images = embed_images(context.model, context.pairs, all).to(torch::kDouble);
  const auto captions = embed_captions(context.model, context.pairs, all).to(torch::kDouble);
  const auto scores = torch::zeros({pairs}, torch::kDouble);
  for (const auto& members : caption_clusters(captions, params_.cluster_pairs, context.rng)) {
    auto own = spectral_scores(images.index_select(0, members));
    // The share of the cluster that is less suspicious.
    if (params_.compare == "within") {
      own = (own.argsort().argsort().to(torch::kDouble) + 0.5) / static_cast<double>(members.numel());
    }
    scores.index_copy_(0, members, own);
  }
  return drop_highest(scores, params_.drop_share, context.stage.batch_size);
}

}  // namespace roclip
