#include "siglip.h"

#include <cmath>
#include <vector>

#include <torch/serialize.h>
#include <torch/types.h>

namespace roclip {

void SiglipDefense::Params::declare(ParamList& list) {
  const char* paper = "Zhai et al. 2023, algorithm 1";
  list.choice("bias_start", bias_start, {"prior", "value"},
              "what the bias begins with: prior = -ln(batch - 1), the log odds that a caption drawn from the batch is "
              "the image's own; value = initial_bias",
              "ours: -10 of the paper is the prior of its batch of 32,768, not of a small one");
  list.add("initial_bias", initial_bias, Range{-100, 100}, "1", "the bias to begin with, where bias_start is value",
           paper);
  list.choice("bias", bias, {"learned", "fixed"},
              "learned = by Adam, with the stage's peak learning rate all the time; fixed = as it begins",
              "Zhai et al. 2023: learned; the optimizer is ours");
}

torch::Tensor sigmoid_loss(const torch::Tensor& z_img, const torch::Tensor& z_txt, const torch::Tensor& scale,
                           const torch::Tensor& bias) {
  const auto logits = scale * z_img.matmul(z_txt.t()) + bias;  // [B, B]
  const auto sign = 2 * torch::eye(z_img.size(0), logits.options()) - 1;
  return -torch::log_sigmoid(sign * logits).sum() / z_img.size(0);
}

torch::Tensor SiglipDefense::loss(const Batch&, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                                  TrainContext& context) {
  if (!value_) {
    value_ = params_.bias_start == "prior" ? -std::log(static_cast<double>(context.stage.batch_size - 1))
                                           : params_.initial_bias;
  }
  leaf_ = torch::full({}, *value_, z_img.options().requires_grad(params_.bias == "learned"));
  return sigmoid_loss(z_img, z_txt, context.model.logit_scale(), leaf_);
}

void SiglipDefense::after_step(TrainContext& context) {
  if (params_.bias == "fixed") return;
  constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
  const double gradient = leaf_.grad().item<double>();
  ++steps_;
  mean_ = kBeta1 * mean_ + (1 - kBeta1) * gradient;
  square_ = kBeta2 * square_ + (1 - kBeta2) * gradient * gradient;
  const auto steps = static_cast<double>(steps_);
  const double mean = mean_ / (1 - std::pow(kBeta1, steps)), square = square_ / (1 - std::pow(kBeta2, steps));
  *value_ -= context.stage.learning_rate * mean / (std::sqrt(square) + kEpsilon);
}

void SiglipDefense::save(torch::serialize::OutputArchive& archive) const {
  if (!value_) return;
  archive.write("bias", torch::tensor({*value_, mean_, square_}, torch::kDouble));
  archive.write("steps", torch::tensor(steps_));
}

void SiglipDefense::load(torch::serialize::InputArchive& archive) {
  torch::Tensor bias, steps;
  if (!archive.try_read("bias", bias)) return;
  archive.read("steps", steps);
  value_ = bias[0].item<double>();
  mean_ = bias[1].item<double>();
  square_ = bias[2].item<double>();
  steps_ = steps.item<std::int64_t>();
}

}  // namespace roclip
