#include "local_outlier.h"

#include <algorithm>
#include <cmath>

#include <torch/serialize.h>

namespace roclip {

void LocalOutlierDefense::Params::declare(ParamList& list) {
  const char* code = "HanxunH/Detect-CLIP-Backdoor-Samples";
  list.choice("score", score, {"dao", "slof", "k_distance"},
              "dimensionality-aware outlier score, simplified local outlier factor, or distance to the k-th neighbour",
              "Huang et al. 2025 recommend dao");
  list.add("k", k, Range{1, 4096}, "pairs", "neighbours of an image", code);
  list.add("chunk", chunk, Range{0, 1e9}, "pairs",
           "neighbours are looked for in random chunks of at most so many pairs, of equal size; 0 = among all",
           "HanxunH/Detect-CLIP-Backdoor-Samples: twice the training batch of 1,024");
  list.choice("reference", reference, {"pairs", "images"}, "neighbours of an image: images and captions, or images",
              "extract_bd_scores.py of HanxunH/Detect-CLIP-Backdoor-Samples: pairs; its README: images");
  list.choice("neighbour_index", neighbour_index, {"formula", "published"},
              "formula = the scores as the paper defines them; published = with the look-ups of the published code, "
              "which often read the density of an unrelated pair",
              "ours: the formula; published figures are from the published code");
  list.add("drop_share", drop_share, Range{0, 1}, "1",
           "most suspicious pairs that are dropped, as a share of all; at least a batch is left",
           "ours, not tuned; the authors leave it to the user");
}

std::vector<Stage> LocalOutlierDefense::stages(const Stage& training) const {
  Stage poisoned = training, retrain = training;
  poisoned.plain = true;
  retrain.name = "retrain";
  retrain.weights = Stage::Weights::kReset;
  return {poisoned, retrain};
}

void LocalOutlierDefense::before_stage(TrainContext& context) {
  const auto pairs = context.pairs.size();
  const auto chunks = params_.chunk > 0 ? (pairs + params_.chunk - 1) / params_.chunk : 1;
  if (pairs / chunks < params_.k + 2) {
    throw Error(ErrorKind::kMatrix,
                "local_outlier: expected chunks of at least k + 2 = " + std::to_string(params_.k + 2) + " pairs, got " +
                    std::to_string(pairs / chunks) + "; give a smaller k or a larger chunk");
  }
  const OutlierScoring scoring{.score = params_.score == "dao"    ? OutlierScoring::Score::kDao
                                        : params_.score == "slof" ? OutlierScoring::Score::kSlof
                                                                  : OutlierScoring::Score::kKDistance,
                               .k = params_.k,
                               .published = params_.neighbour_index == "published"};
  context.model.train(false);
  scores_ = torch::zeros({pairs}, torch::kDouble);
  const auto order = torch::randperm(pairs, context.rng.generator(), torch::kLong);
  for (const auto& chunk : order.tensor_split(chunks)) {
    const auto images = embed_images(context.model, context.pairs, chunk);
    const auto captions =
        params_.reference == "pairs" ? embed_captions(context.model, context.pairs, chunk) : torch::Tensor();
    scores_.index_copy_(0, chunk, outlier_scores(images, captions, scoring));
  }
  context.model.train(true);
  const auto wanted = std::llround(params_.drop_share * static_cast<double>(pairs));
  const auto left = std::max<std::int64_t>(pairs - wanted, context.stage.batch_size);
  threshold_ = std::get<0>(scores_.sort())[left - 1].item<double>();
  context.clock.lap("scoring");
}

torch::Tensor LocalOutlierDefense::choose_samples(TrainContext& context) {
  const auto left = (scores_ <= threshold_).nonzero().squeeze(1);
  return left.index_select(0, torch::randperm(left.size(0), context.order_rng.generator(), torch::kLong));
}

std::optional<Suspicion> LocalOutlierDefense::suspicion() const {
  if (!scores_.defined()) return std::nullopt;
  return Suspicion{scores_, threshold_};
}

void LocalOutlierDefense::save(torch::serialize::OutputArchive& archive) const {
  if (!scores_.defined()) return;
  archive.write("scores", scores_);
  archive.write("threshold", torch::tensor(threshold_, torch::kDouble));
}

void LocalOutlierDefense::load(torch::serialize::InputArchive& archive) {
  torch::Tensor threshold;
  if (!archive.try_read("scores", scores_)) return;
  archive.read("threshold", threshold);
  threshold_ = threshold.item<double>();
}

}  // namespace roclip
