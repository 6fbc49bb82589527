#include "harness/train/adamw.h"

#include <map>
#include <utility>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/record/torch_compat.h"

namespace roclip::bench {

namespace {

/// So that each parameter begins where an allocation could: kernels of a GPU fail or are slow elsewhere.
std::int64_t aligned(std::int64_t floats) {
  constexpr std::int64_t kFloats = 64;  // 256 bytes
  return (floats + kFloats - 1) / kFloats * kFloats;
}

}  // namespace

AdamW::AdamW(const std::vector<torch::Tensor>& parameters, const AdamWOptions& options,
             const std::vector<double>& rates, std::optional<bool> in_arena)
    : options_(options), in_arena_(in_arena.value_or(!kAdamWOfLists || parameters.front().is_cpu())) {
  const torch::NoGradGuard no_grad;
  std::map<std::pair<bool, double>, std::vector<torch::Tensor>> alike;  // what decays comes first
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    alike[{parameters[i].dim() < 2, rates.empty() ? 1 : rates[i]}].push_back(parameters[i]);
  }
  std::vector<torch::Tensor> flat;
  std::int64_t begin = 0;
  for (const auto& [kind, group] : alike) {
    const auto first = parameters_.size();
    std::int64_t count = 0;
    for (const auto& parameter : group) {
      parameters_.push_back(parameter);
      const auto values = parameter.detach().as_strided({parameter.numel()}, {1});  // as it lies in memory
      flat.push_back(torch::constant_pad_nd(values, {0, aligned(parameter.numel()) - parameter.numel()}));
      count += flat.back().numel();
    }
    const auto& [is_plain, rate] = kind;
    groups_.push_back({begin, count, first, group.size(), is_plain ? 0 : options.weight_decay, rate});
    begin += count;
  }
  values_ = torch::cat(flat);
  gradients_ = torch::zeros_like(values_);
  mean_ = torch::zeros_like(values_);
  square_ = torch::zeros_like(values_);
  const auto values = windows(values_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set_data(values[i]);
  gradient_windows_ = windows(gradients_);
  if (!in_arena_) {
    mean_windows_ = windows(mean_);
    square_windows_ = windows(square_);
  }
  zero_grad();
}

std::vector<torch::Tensor> AdamW::windows(const torch::Tensor& arena) const {
  std::vector<torch::Tensor> windows;
  std::int64_t offset = 0;
  for (const auto& parameter : parameters_) {
    // Part of the arena, but no view in the eyes of autograd: other optimizers detach gradients in place.
    auto window = torch::empty({0}, arena.options());
    windows.push_back(window.set_(arena.storage(), offset, parameter.sizes(), parameter.strides()));
    offset += aligned(parameter.numel());
  }
  return windows;
}

void AdamW::zero_grad() {
  if (in_arena_) gradients_.zero_();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i].mutable_grad() = in_arena_ ? gradient_windows_[i] : torch::Tensor();
  }
}

std::vector<torch::Tensor> AdamW::gradients() const {
  std::vector<torch::Tensor> gradients;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& gradient = parameters_[i].grad();
    gradients.push_back(gradient.defined() ? gradient : gradient_windows_[i]);  // zero, if they are made elsewhere
  }
  return gradients;
}

void AdamW::shorten_gradient(double longest) {
  const torch::NoGradGuard no_grad;
  const auto shortening = [&](const torch::Tensor& norm) { return (longest / (norm + 1e-6)).clamp_max(1); };
  if (in_arena_) {
    gradients_.mul_(shortening(gradients_.norm()));
    return;
  }
  std::vector<torch::Tensor> norms;
  for (const auto& gradient : gradients()) norms.push_back(gradient.norm());
  const auto factor = shortening(torch::stack(norms).norm());
  for (const auto& gradient : gradients()) gradient.mul_(factor);
}

void AdamW::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  const auto made = in_arena_ ? std::vector<torch::Tensor>() : gradients();
  for (const auto& group : groups_) {
    const AdamWStep how{group.rate * learning_rate, options_.beta1, options_.beta2, options_.epsilon,
                        group.weight_decay};
    const auto part = [&](const torch::Tensor& arena) { return arena.narrow(0, group.begin, group.count); };
    const auto of = [&](const std::vector<torch::Tensor>& all) {
      return torch::TensorList(all).slice(group.first, group.parameters);
    };
    if (in_arena_) {
      adamw_step({part(values_)}, {part(gradients_)}, {part(mean_)}, {part(square_)}, steps_, how);
    } else {
      adamw_step(of(parameters_), of(made), of(mean_windows_), of(square_windows_), steps_, how);
    }
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
