#include "local_outlier.h"

#include <torch/types.h>

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

Suspicion LocalOutlierDefense::judge(TrainContext& context) {
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
  const auto scores = torch::zeros({pairs}, torch::kDouble);
  const auto order = torch::randperm(pairs, context.rng.generator(), torch::kLong);
  for (const auto& chunk : order.tensor_split(chunks)) {
    const auto images = embed_images(context.model, context.pairs, chunk);
    const auto captions =
        params_.reference == "pairs" ? embed_captions(context.model, context.pairs, chunk) : torch::Tensor();
    scores.index_copy_(0, chunk, outlier_scores(images, captions, scoring));
  }
  return drop_highest(scores, params_.drop_share, context.stage.batch_size);
}

}  // namespace roclip
