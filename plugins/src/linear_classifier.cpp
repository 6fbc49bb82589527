#include "roclip/linear_classifier.h"

#include <torch/optim/lbfgs.h>
#include <torch/utils.h>

namespace roclip {

void LinearFit::declare(ParamList& list) {
  list.add("l2", l2, Range{1e-9, 1e3}, "1", "strength of the penalty in mean cross-entropy + l2 / 2 * |weight|^2",
           "ours: scikit-learn's C = 1 / (l2 * images), 0.1 for 10,000 images");
  list.add("max_iterations", max_iterations, Range{1, 1e5}, "1", "L-BFGS iterations at most",
           "scikit-learn's LogisticRegression");
}

torch::Tensor LinearClassifier::logits(const torch::Tensor& features) const {
  return ((features - mean) / scale).matmul(weight) + bias;
}

LinearClassifier fit_classifier(const torch::Tensor& features, const torch::Tensor& labels, std::int64_t classes,
                                const LinearFit& fit) {
  const torch::NoGradGuard no_grad;
  const auto mean = features.mean(/*dim=*/0), scale = features.std(/*dim=*/0, /*unbiased=*/false).clamp_min(1e-6);
  const auto standardised = (features - mean) / scale;
  const auto weight = torch::zeros({features.size(1), classes}, features.options());
  const auto bias = torch::zeros({classes}, features.options());
  const auto count = static_cast<double>(features.size(0));
  const auto columns = labels.unsqueeze(1);                                         // [N, 1]
  const auto minus_one = torch::full({labels.size(0), 1}, -1, features.options());  // [N, 1]
  // The gradient in closed form: autograd would keep and walk five arrays of N x C.
  const auto objective = [&] {
    auto error = torch::softmax(torch::addmm(bias, standardised, weight), /*dim=*/1);  // [N, C]
    const auto right = error.gather(1, columns).to(torch::kFloat64).clamp_min(1e-38);
    const auto loss = -right.log().mean() + fit.l2 / 2 * weight.to(torch::kFloat64).square().sum();
    error.scatter_add_(1, columns, minus_one).div_(count);
    weight.mutable_grad() = standardised.t().matmul(error).add_(weight, fit.l2);
    bias.mutable_grad() = error.sum(0);
    return loss;
  };
  torch::optim::LBFGS optimizer({weight, bias}, torch::optim::LBFGSOptions(/*lr=*/1.0)
                                                    .max_iter(fit.max_iterations)
                                                    .max_eval(2 * fit.max_iterations)
                                                    .tolerance_grad(1e-6)
                                                    .tolerance_change(1e-12)
                                                    .history_size(10)
                                                    .line_search_fn("strong_wolfe"));
  optimizer.step(objective);
  const auto loss = objective().item<double>();
  const auto gradient = torch::max(weight.grad().abs().max(), bias.grad().abs().max()).item<double>();
  return {mean, scale, weight, bias, loss, gradient};
}

}  // namespace roclip
