/// What differs between versions of LibTorch, from 1.13 to the newest: all of it is here.
#pragma once

#include <cmath>

#include <torch/types.h>
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

}  // namespace roclip::bench
