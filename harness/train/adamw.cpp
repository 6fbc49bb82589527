#include "harness/train/adamw.h"

#include <algorithm>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/record/torch_compat.h"

namespace roclip::bench {

AdamW::AdamW(std::vector<torch::Tensor> parameters, const AdamWOptions& options) : options_(options) {
  const torch::NoGradGuard no_grad;
  const auto rest = std::stable_partition(parameters.begin(), parameters.end(),
                                          [](const torch::Tensor& parameter) { return parameter.dim() >= 2; });
  std::vector<torch::Tensor> flat;
  for (auto it = parameters.begin(); it != parameters.end(); ++it) {
    flat.push_back(it->detach().reshape({-1}));
    if (it < rest) decayed_ += it->numel();
  }
  values_ = torch::cat(flat);
  gradients_ = torch::zeros_like(values_);
  mean_ = torch::zeros_like(values_);
  square_ = torch::zeros_like(values_);
  std::int64_t offset = 0;
  for (auto& parameter : parameters) {
    // Part of the arena, but no view in the eyes of autograd: other optimizers detach gradients in place.
    const auto window = [&](const torch::Tensor& arena) {
      return torch::empty({0}, arena.options()).set_(arena.storage(), offset, parameter.sizes());
    };
    parameter.set_data(window(values_));
    windows_.push_back(window(gradients_));
    offset += parameter.numel();
  }
  parameters_ = std::move(parameters);
  zero_grad();
}

void AdamW::zero_grad() {
  gradients_.zero_();
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].mutable_grad() = windows_[i];
}

void AdamW::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  const auto run = [&](std::int64_t begin, std::int64_t count, double weight_decay) {
    const auto part = [&](const torch::Tensor& arena) { return arena.narrow(0, begin, count); };
    adamw_step(part(values_), part(gradients_), part(mean_), part(square_), static_cast<double>(steps_),
               {learning_rate, options_.beta1, options_.beta2, options_.epsilon, weight_decay});
  };
  run(0, decayed_, options_.weight_decay);
  run(decayed_, values_.numel() - decayed_, 0);
}

void AdamW::save(torch::serialize::OutputArchive& archive) const {
  archive.write("values", values_);
  archive.write("mean", mean_);
  archive.write("square", square_);
  archive.write("steps", torch::tensor(steps_));
}

void AdamW::load(torch::serialize::InputArchive& archive) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : {std::pair{"values", &values_}, {"mean", &mean_}, {"square", &square_}}) {
    torch::Tensor saved;
    archive.read(name, saved);
    tensor->copy_(saved);  // in place: the parameters are windows of the arena
  }
  torch::Tensor steps;
  archive.read("steps", steps);
  steps_ = steps.item<std::int64_t>();
}

}  // namespace roclip::bench
