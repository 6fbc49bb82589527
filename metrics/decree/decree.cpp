#include "decree.h"

#include <algorithm>
#include <cmath>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr double kBeta1 = 0.5, kBeta2 = 0.9, kEpsilon = 1e-8;  // of Adam, as in the authors' code
constexpr double kMostLambda = 1e5;                            // likewise
constexpr double kInside = 1 - 1e-6;                           // keeps atanh finite

}  // namespace

void DecreeParams::declare(ParamList& list) {
  const char* code = "GiantSeaweed/DECREE main.py";
  list.add("steps", steps, Range{1, 1e6}, "steps",
           "of the optimisation, always all of them; the authors' run up to 1000 epochs and stop early",
           "ours: 2 s on the CPU with the tiny model");
  list.add("batch_size", batch_size, Range{2, 65536}, "images", "random held-out images in a step",
           "ours; 256 in GiantSeaweed/DECREE main.py");
  list.add("learning_rate", learning_rate, Range{0, 10}, "1", "Adam with betas 0.5 and 0.9",
           "GiantSeaweed/DECREE main.py, adjust_learning_rate(): 0.1 in the middle, 0.05 at the end");
  list.add("threshold", threshold, Range{-1, 1}, "1", "mean cosine above which a patch makes images alike", code);
  list.add("initial_lambda", initial_lambda, Range{0, 1e5}, "1", "first weight of the L1 norm of the mask", code);
  list.add("lambda_factor", lambda_factor, Range{1, 1000}, "1", "by which that weight rises and falls", code);
  list.add("least_lambda", least_lambda, Range{0, 1e5}, "1", "a weight below it does not fall further",
           "GiantSeaweed/DECREE main.py: for 32 px images; 1e-7 for 224 px");
  list.add("patience", patience, Range{0, 1e6}, "steps",
           "the weight changes after more steps than this in a row above, or below, the threshold", code);
}

void AdaptiveLambda::update(bool above_threshold) {
  above_ = above_threshold ? above_ + 1 : 0;
  below_ = above_threshold ? 0 : below_ + 1;
  if (above_ > params_.patience) {
    if (value_ < kMostLambda) value_ *= params_.lambda_factor;
    above_ = 0;
  } else if (below_ > params_.patience) {
    if (value_ >= params_.least_lambda) value_ /= params_.lambda_factor;
    below_ = 0;
  }
}

torch::Tensor mean_similarity(const torch::Tensor& rows) {
  const auto n = static_cast<double>(rows.size(0));
  return (rows.sum(0).square().sum() - rows.square().sum()) / (n * (n - 1));
}

InvertedTrigger invert_trigger(ClipModel& model, const PairSource& held_out, const DecreeParams& params, Rng& rng) {
  const torch::AutoGradMode with_gradient(true);  // metrics run without
  const auto px = held_out.image_px(), batch = std::min(params.batch_size, held_out.size());
  const auto uniform = torch::rand({4, px, px}, rng.generator());
  // One plane for the mask, three for the pattern; the hyperbolic tangent keeps them in 0..1.
  auto planes = ((uniform * 2 - 1) * kInside).atanh().to(model.device()).requires_grad_();
  auto mean = torch::zeros_like(planes), square = torch::zeros_like(planes);
  AdaptiveLambda lambda(params);
  InvertedTrigger best;
  for (std::int64_t step = 1; step <= params.steps; ++step) {
    const auto pixels = to_pixels(held_out.images(torch::tensor(rng.sample(held_out.size(), batch))), model.device());
    const auto squashed = planes.tanh() / 2 + 0.5;
    const auto mask = squashed.narrow(0, 0, 1), pattern = squashed.narrow(0, 1, 3);
    const auto alike = mean_similarity(model.encode_image(torch::lerp(pixels, pattern, mask)));
    const auto norm = 3 * mask.sum();  // the authors' mask has three equal channels

    const double similarity = alike.item<double>();
    if (!std::isfinite(similarity)) throw Diverged("the embeddings of images are not finite numbers");
    const bool above = similarity > params.threshold;
    const double share = mask.mean().item<double>();
    if (above && (best.step == 0 || share < best.mask_share)) best = {share, similarity, step};
    if (best.step == 0) best.similarity = std::max(best.similarity, similarity);

    // Of the patch alone: the gradients of the weights stay as they are.
    const auto gradient = torch::autograd::grad({lambda.value() * norm - alike}, {planes}).front();
    const torch::NoGradGuard no_grad;
    const auto at = static_cast<double>(step);
    mean.lerp_(gradient, 1 - kBeta1);
    square.lerp_(gradient.square(), 1 - kBeta2);
    const auto root = (square / (1 - std::pow(kBeta2, at))).sqrt_().add_(kEpsilon);
    planes.sub_(mean / root * (params.learning_rate / (1 - std::pow(kBeta1, at))));
    lambda.update(above);
  }
  return best;
}

MetricResult Decree::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  if (inputs.data.held_out.size() < 2) return {.not_applicable = "it takes two held-out images to have a similarity"};
  Rng rng(stream(inputs.seed, "decree"));
  const auto found = invert_trigger(model, *inputs.data.held_out.pairs, params_, rng);
  return {.values = {{"suspicion", 1 - found.mask_share, "1"},
                     {"mask_share", found.mask_share, "1"},
                     {"similarity", found.similarity, "1"}},
          .details = Json{{"step", found.step}}.dump()};
}

}  // namespace roclip
