#include "spectral_signature.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <torch/serialize.h>

#include "roclip/clustering.h"

namespace roclip {

torch::Tensor spectral_scores(const torch::Tensor& rows) {
  const auto centred = rows - rows.mean(0);
  const auto vectors = std::get<1>(torch::linalg_eigh(centred.t().matmul(centred)));  // columns, eigenvalues ascending
  return centred.matmul(vectors.select(1, -1)).square();
}

void SpectralSignatureDefense::Params::declare(ParamList& list) {
  list.add("cluster_pairs", cluster_pairs, Range{1, 1e9}, "pairs",
           "mean size of the clusters of captions that take the place of labels", "ours; the paper has labels");
  list.choice("compare", compare, {"within", "across"},
              "within = the same share of each cluster is dropped; across = the largest scores of all clusters",
              "Tran et al. 2018, algorithm 1: within");
  list.add("drop_share", drop_share, Range{0, 1}, "1",
           "most suspicious pairs that are dropped, as a share of all; at least a batch is left",
           "ours: as in defense local_outlier; 1.5 times the rate of poisons in the paper, which we do not know");
}

std::vector<Stage> SpectralSignatureDefense::stages(const Stage& training) const {
  Stage poisoned = training, retrain = training;
  poisoned.plain = true;
  retrain.name = "retrain";
  retrain.weights = Stage::Weights::kReset;
  return {poisoned, retrain};
}

void SpectralSignatureDefense::before_stage(TrainContext& context) {
  const auto pairs = context.pairs.size();
  const auto all = torch::arange(pairs, torch::kLong);
  context.model.train(false);
  const auto images = embed_images(context.model, context.pairs, all).to(torch::kDouble);
  const auto captions = embed_captions(context.model, context.pairs, all).to(torch::kDouble);
  context.model.train(true);
  scores_ = torch::zeros({pairs}, torch::kDouble);
  for (const auto& members : caption_clusters(captions, params_.cluster_pairs, context.rng)) {
    auto scores = spectral_scores(images.index_select(0, members));
    // The share of the cluster that is less suspicious.
    if (params_.compare == "within") {
      scores = (scores.argsort().argsort().to(torch::kDouble) + 0.5) / static_cast<double>(members.numel());
    }
    scores_.index_copy_(0, members, scores);
  }
  const auto wanted = std::llround(params_.drop_share * static_cast<double>(pairs));
  const auto left = std::max<std::int64_t>(pairs - wanted, context.stage.batch_size);
  threshold_ = std::get<0>(scores_.sort())[left - 1].item<double>();
  context.clock.lap("scoring");
}

torch::Tensor SpectralSignatureDefense::choose_samples(TrainContext& context) {
  const auto left = (scores_ <= threshold_).nonzero().squeeze(1);
  return left.index_select(0, torch::randperm(left.size(0), context.order_rng.generator(), torch::kLong));
}

std::optional<Suspicion> SpectralSignatureDefense::suspicion() const {
  if (!scores_.defined()) return std::nullopt;
  return Suspicion{scores_, threshold_};
}

void SpectralSignatureDefense::save(torch::serialize::OutputArchive& archive) const {
  if (!scores_.defined()) return;
  archive.write("scores", scores_);
  archive.write("threshold", torch::tensor(threshold_, torch::kDouble));
}

void SpectralSignatureDefense::load(torch::serialize::InputArchive& archive) {
  torch::Tensor threshold;
  if (!archive.try_read("scores", scores_)) return;
  archive.read("threshold", threshold);
  threshold_ = threshold.item<double>();
}

}  // namespace roclip
