#include "poison_similarity.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

/// Mean cosine similarity of image and caption.
double similarity(ClipModel& model, const PairSource& pairs, const torch::Tensor& rows) {
  const auto similarities = (embed_images(model, pairs, rows) * embed_captions(model, pairs, rows)).sum(1);
  if (!similarities.isfinite().all().item<bool>()) throw Diverged("the embeddings of pairs are not finite numbers");
  return similarities.to(torch::kDouble).mean().item<double>();
}

}  // namespace

void PoisonSimilarityParams::declare(ParamList& list) {
  list.add("clean_pairs", clean_pairs, Range{1, 1e9}, "pairs", "clean training pairs, drawn; all, if there are fewer",
           "ours");
}

MetricResult PoisonSimilarity::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  std::vector<std::int64_t> poisons, clean;
  for (std::size_t i = 0; i < inputs.poisoned.size(); ++i) {
    (inputs.poisoned[i] ? poisons : clean).push_back(static_cast<std::int64_t>(i));
  }
  if (poisons.empty()) return {.not_applicable = "no training pair is a poison"};
  if (clean.empty()) return {.not_applicable = "every training pair is a poison"};
  Rng rng(inputs.seed);
  std::vector<std::int64_t> drawn;
  for (const auto i : rng.sample(std::ssize(clean), std::min(params_.clean_pairs, std::ssize(clean)))) {
    drawn.push_back(clean[static_cast<std::size_t>(i)]);
  }
  const double of_poisons = similarity(model, inputs.trained, torch::tensor(poisons));
  const double of_clean = similarity(model, inputs.trained, torch::tensor(drawn));
  return {.values = {{"gap", of_poisons - of_clean, "1"}, {"poisons", of_poisons, "1"}, {"clean", of_clean, "1"}},
          .details = Json{{"poisons", poisons.size()}, {"clean_pairs", drawn.size()}}.dump()};
}

}  // namespace roclip
