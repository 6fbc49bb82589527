#include "zero_shot.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

/// Mean over the classes that occur of the share of their images with rank 0.
double mean_per_class_accuracy(const torch::Tensor& ranks, const torch::Tensor& labels) {
  const auto trials = torch::bincount(labels).to(torch::kFloat64);
  const auto hits = torch::bincount(labels, (ranks == 0).to(torch::kFloat64));
  const auto occurs = trials > 0;
  return (hits.masked_select(occurs) / trials.masked_select(occurs)).mean().item<double>();
}

}  // namespace

MetricResult ZeroShot::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  const auto items = inputs.clean_indices();
  if (items.numel() == 0) return {.not_applicable = "the data set has no held-out image beside the targets"};
  const auto classes = class_embeddings(model, inputs.data.classes);               // [C, D]
  const auto images = embed_images(model, *inputs.data.held_out.pairs, items);     // [N, D]
  const auto labels = inputs.data.held_out.labels.index_select(/*dim=*/0, items);  // [N]
  const auto ranks = rank_of(images.matmul(classes.t()), labels);
  return {.counts = {hits_at(1, "top1", items, ranks), hits_at(5, "top5", items, ranks)},
          .details = Json{{"mean_per_class_accuracy", mean_per_class_accuracy(ranks, labels)}}.dump()};
}

}  // namespace roclip
