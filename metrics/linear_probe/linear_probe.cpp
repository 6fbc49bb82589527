#include "linear_probe.h"

#include <torch/optim/lbfgs.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void LinearProbeParams::declare(ParamList& list) {
  list.add("l2", l2, Range{1e-9, 1e3}, "1", "strength of the penalty in mean cross-entropy + l2 / 2 * |weight|^2",
           "ours: scikit-learn's C = 1 / (l2 * images), 0.1 for 10,000 images");
  list.add("max_iterations", max_iterations, Range{1, 1e5}, "1", "L-BFGS iterations at most",
           "scikit-learn's LogisticRegression");
}

LinearClassifier fit_classifier(const torch::Tensor& features, const torch::Tensor& labels, std::int64_t classes,
                                const LinearProbeParams& params) {
  const torch::NoGradGuard no_grad;
  const auto weight = torch::zeros({features.size(1), classes}, features.options());
  const auto bias = torch::zeros({classes}, features.options());
  const auto count = static_cast<double>(features.size(0));
  const auto columns = labels.unsqueeze(1);                                         // [N, 1]
  const auto minus_one = torch::full({labels.size(0), 1}, -1, features.options());  // [N, 1]
  // The gradient in closed form: autograd would keep and walk five arrays of N x C.
  const auto objective = [&] {
    auto error = torch::softmax(torch::addmm(bias, features, weight), /*dim=*/1);  // [N, C]
    const auto right = error.gather(1, columns).to(torch::kFloat64).clamp_min(1e-38);
    const auto loss = -right.log().mean() + params.l2 / 2 * weight.to(torch::kFloat64).square().sum();
    error.scatter_add_(1, columns, minus_one).div_(count);
    weight.mutable_grad() = features.t().matmul(error).add_(weight, params.l2);
    bias.mutable_grad() = error.sum(0);
    return loss;
  };
  torch::optim::LBFGS optimizer({weight, bias}, torch::optim::LBFGSOptions(/*lr=*/1.0)
                                                    .max_iter(params.max_iterations)
                                                    .max_eval(2 * params.max_iterations)
                                                    .tolerance_grad(1e-6)
                                                    .tolerance_change(1e-12)
                                                    .history_size(10)
                                                    .line_search_fn("strong_wolfe"));
  optimizer.step(objective);
  const auto loss = objective().item<double>();
  const auto gradient = torch::max(weight.grad().abs().max(), bias.grad().abs().max()).item<double>();
  return {weight, bias, loss, gradient};
}

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
  const auto mean = fitted.mean(/*dim=*/0), scale = fitted.std(/*dim=*/0, /*unbiased=*/false).clamp_min(1e-6);
  const auto standardised = [&](const torch::Tensor& x) { return (x - mean) / scale; };

  const auto classes = std::ssize(inputs.data.classes);
  const auto classifier = fit_classifier(standardised(fitted), probe.labels.to(model.device()), classes, params_);
  const auto ranks_of = [&](const torch::Tensor& x, const torch::Tensor& labels) {
    return rank_of(classifier.logits(standardised(x)).cpu(), labels);
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
