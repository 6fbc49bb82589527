#include "linear_probe.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

MetricResult LinearProbe::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  const auto& probe = inputs.data.probe;
  const auto& held_out = inputs.data.held_out;
  const auto items = inputs.clean_indices();
  if (probe.size() == 0) return {.not_applicable = "the data set has no labelled probe images"};
  if (items.numel() == 0) return {.not_applicable = "the data set has no held-out image beside the targets"};

  const auto features = [&](const LabelledImages& images, const torch::Tensor& indices) {
    return image_features(model, *images.pairs, indices).to(model.device());
  };
  const auto fitted = features(probe, torch::arange(probe.size(), torch::kLong));  // [N, F]
  const auto classes = std::ssize(inputs.data.classes);
  const auto classifier = fit_classifier(fitted, probe.labels.to(model.device()), classes, params_);
  const auto ranks_of = [&](const torch::Tensor& x, const torch::Tensor& labels) {
    return rank_of(classifier.logits(x).cpu(), labels);
  };
  const auto ranks = ranks_of(features(held_out, items), held_out.labels.index_select(/*dim=*/0, items));
  const auto fitted_top1 = (ranks_of(fitted, probe.labels) == 0).to(torch::kFloat64).mean().item<double>();
  return {.counts = {hits_at(1, "top1", items, ranks), hits_at(5, "top5", items, ranks)},
          .details = Json{{"probe_images", probe.size()},
                          {"probe_accuracy", fitted_top1},
                          {"loss", classifier.loss},
                          {"max_gradient", classifier.max_gradient}}
                         .dump()};
}

}  // namespace roclip
