#include "harness/train/adamw.h"

#include <map>
#include <utility>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/record/torch_compat.h"

namespace roclip::bench {

AdamW::AdamW(const std::vector<torch::Tensor>& parameters, const AdamWOptions& options,
             const std::vector<double>& rates)
    : options_(options) {
  const torch::NoGradGuard no_grad;
  std::map<std::pair<bool, double>, std::vector<torch::Tensor>> alike;  // what decays comes first
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    alike[{parameters[i].dim() < 2, rates.empty() ? 1 : rates[i]}].push_back(parameters[i]);
  }
  std::vector<torch::Tensor> flat;
  std::int64_t begin = 0;
  for (const auto& [kind, group] : alike) {
    std::int64_t count = 0;
    for (const auto& parameter : group) {
      parameters_.push_back(parameter);
      flat.push_back(parameter.detach().as_strided({parameter.numel()}, {1}));  // as it lies in memory
      count += parameter.numel();
    }
    const auto& [is_plain, rate] = kind;
    groups_.push_back({begin, count, is_plain ? 0 : options.weight_decay, rate});
    begin += count;
  }
  values_ = torch::cat(flat);
  gradients_ = torch::zeros_like(values_);
  mean_ = torch::zeros_like(values_);
  square_ = torch::zeros_like(values_);
  std::int64_t offset = 0;
  for (auto& parameter : parameters_) {
    // Part of the arena, but no view in the eyes of autograd: other optimizers detach gradients in place.
    const auto window = [&](const torch::Tensor& arena) {
      return torch::empty({0}, arena.options()).set_(arena.storage(), offset, parameter.sizes(), parameter.strides());
    };
    parameter.set_data(window(values_));
    windows_.push_back(window(gradients_));
    offset += parameter.numel();
  }
  zero_grad();
}

void AdamW::zero_grad() {
  gradients_.zero_();
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].mutable_grad() = windows_[i];
}

void AdamW::shorten_gradient(double longest) {
  const torch::NoGradGuard no_grad;
  gradients_.mul_((longest / (gradients_.norm() + 1e-6)).clamp_max(1));
}

void AdamW::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  for (const auto& group : groups_) {
    const auto part = [&](const torch::Tensor& arena) { return arena.narrow(0, group.begin, group.count); };
    adamw_step(part(values_), part(gradients_), part(mean_), part(square_), static_cast<double>(steps_),
               {group.rate * learning_rate, options_.beta1, options_.beta2, options_.epsilon, group.weight_decay});
  }
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
