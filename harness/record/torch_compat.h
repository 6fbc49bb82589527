/// What differs between versions of LibTorch, from 1.13 to the newest: all of it is here.
#pragma once

#include <cmath>

#include <ATen/autocast_mode.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
#include <ATen/ops/_fused_adamw.h>
#endif

namespace roclip::bench {

struct AdamWStep {
  double learning_rate, beta1, beta2, epsilon, weight_decay;
};

/// One step of AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) on flat tensors of one length; `square` and `mean`
/// are its state. @param steps how many there have been, this one included. @pre no gradient is recorded
inline void adamw_step(const torch::Tensor& values, const torch::Tensor& gradients, const torch::Tensor& mean,
                       const torch::Tensor& square, double steps, const AdamWStep& s) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  // The operation counts as Adam's do in Python: `state_steps` is the number of this step.
  at::_fused_adamw_({values}, {gradients}, {mean}, {square}, {}, {torch::full({}, steps, values.options())},
                    s.learning_rate, s.beta1, s.beta2, s.weight_decay, s.epsilon, /*amsgrad=*/false,
                    /*maximize=*/false);
#else
  mean.lerp_(gradients, 1 - s.beta1);
  square.mul_(s.beta2).addcmul_(gradients, gradients, 1 - s.beta2);
  const auto scale = square.sqrt().div_(std::sqrt(1 - std::pow(s.beta2, steps))).add_(s.epsilon);
  if (s.weight_decay > 0) values.mul_(1 - s.learning_rate * s.weight_decay);
  values.addcdiv_(mean, scale, -s.learning_rate / (1 - std::pow(s.beta1, steps)));
#endif
}

/// Scaled dot-product attention (Vaswani et al. 2017), all of q, k and v [B, heads, L, W / heads]. @param mask added to
/// the scores, may be undefined
inline torch::Tensor softmax_attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                       const torch::Tensor& mask = {}) {
#if TORCH_VERSION_MAJOR >= 2
  return at::scaled_dot_product_attention(q, k, v, mask.defined() ? c10::optional<torch::Tensor>(mask) : c10::nullopt);
#else
  auto scores = q.matmul(k.transpose(-2, -1)) / std::sqrt(static_cast<double>(q.size(-1)));
  if (mask.defined()) scores = scores + mask;
  return scores.softmax(-1).matmul(v);
#endif
}

/// While it lives, products and convolutions on the device run in bf16 and the rest in f32 (PyTorch's autocast);
/// nothing happens without `on`. [one thread; they nest]
class Autocast {
 public:
  Autocast(torch::Device device, bool on) : device_(device), before_(enabled(device)) {
    if (!on) return;
    set(device_, true);
    at::autocast::increment_nesting();
    on_ = true;
  }
  ~Autocast() {
    if (!on_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    set(device_, before_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

  static bool enabled(torch::Device device) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    return at::autocast::is_autocast_enabled(device.type());
#else
    return device.is_cpu() ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
#endif
  }

 private:
  static void set(torch::Device device, bool on) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    at::autocast::set_autocast_dtype(device.type(), at::kBFloat16);
    at::autocast::set_autocast_enabled(device.type(), on);
#else
    at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
    at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
    device.is_cpu() ? at::autocast::set_cpu_enabled(on) : at::autocast::set_enabled(on);
#endif
  }

  torch::Device device_;
  bool before_, on_ = false;
};

/// How a GPU computes; nothing changes on the CPU. @param tf32 whether products and convolutions of f32 may round their
/// inputs to 10 bits @param deterministic whether only algorithms with equal bits are taken, or an error says which
/// operation has none
inline void set_gpu_policy(bool tf32, bool deterministic) {
  auto& context = at::globalContext();
  context.setAllowTF32CuBLAS(tf32);
  context.setAllowTF32CuDNN(tf32);
  context.setDeterministicCuDNN(deterministic);
  context.setBenchmarkCuDNN(!deterministic);
  context.setDeterministicAlgorithms(deterministic, /*warn_only=*/false);
}

}  // namespace roclip::bench
