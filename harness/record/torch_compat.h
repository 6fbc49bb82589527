/// What differs between versions of LibTorch, from 1.13 to the newest: all of it is here.
#pragma once

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/autocast_mode.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "roclip/phase_clock.h"

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
#include <ATen/ops/_fused_adamw.h>
#endif
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 11)
#include <c10/core/CachingDeviceAllocator.h>
#endif
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6)
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#endif

namespace c10d {
class Backend;
class ProcessGroup;
}  // namespace c10d

namespace roclip::bench {

/// What makes c10d's collectives over one kind of network.
#if TORCH_VERSION_MAJOR >= 2
using CollectiveBackend = c10d::Backend;
#else
using CollectiveBackend = c10d::ProcessGroup;
#endif

struct AdamWStep {
  double learning_rate, beta1, beta2, epsilon, weight_decay;
};

/// Whether adamw_step() takes many tensors in one operation.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
inline constexpr bool kAdamWOfLists = true;
#else
inline constexpr bool kAdamWOfLists = false;
#endif

/// One step of AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) on tensors that are treated alike; `square` and
/// `mean` are its state. @param steps how many there have been, this one included. @pre no gradient is recorded
inline void adamw_step(torch::TensorList values, torch::TensorList gradients, torch::TensorList mean,
                       torch::TensorList square, std::int64_t steps, const AdamWStep& s) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  // The operation counts as Adam's do in Python: `state_steps` is the number of this step.
  const auto count = torch::full({}, static_cast<double>(steps), values.front().options().requires_grad(false));
  at::_fused_adamw_(values, gradients, mean, square, {}, std::vector<torch::Tensor>(values.size(), count),
                    s.learning_rate, s.beta1, s.beta2, s.weight_decay, s.epsilon, /*amsgrad=*/false,
                    /*maximize=*/false);
#else
  const auto n = static_cast<double>(steps);
  for (std::size_t i = 0; i < values.size(); ++i) {
    mean[i].lerp_(gradients[i], 1 - s.beta1);
    square[i].mul_(s.beta2).addcmul_(gradients[i], gradients[i], 1 - s.beta2);
    const auto scale = square[i].sqrt().div_(std::sqrt(1 - std::pow(s.beta2, n))).add_(s.epsilon);
    if (s.weight_decay > 0) values[i].mul_(1 - s.learning_rate * s.weight_decay);
    values[i].addcdiv_(mean[i], scale, -s.learning_rate / (1 - std::pow(s.beta1, n)));
  }
#endif
}

/// In MiB, of the GPU that this process sees.
struct GpuMemory {
  double peak, free;
};
/// Nothing on the CPU, and where this LibTorch cannot tell.
inline std::optional<GpuMemory> gpu_memory(torch::Device device) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 11)
  if (device.is_cpu()) return std::nullopt;
  auto* allocator = at::getDeviceAllocator(device.type());
  const auto index = static_cast<c10::DeviceIndex>(std::max<int>(0, device.index()));
  const auto peak = allocator->getDeviceStats(index).reserved_bytes[0].peak;  // [0]: of all pools
  return GpuMemory{static_cast<double>(peak) / 1048576,
                   static_cast<double>(allocator->getMemoryInfo(index).first) / 1048576};
#else
  static_cast<void>(device);
  return std::nullopt;
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

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6)
/// The time of a GPU, by its events.
class GpuTimeline final : public DeviceTimeline {
 public:
  explicit GpuTimeline(torch::Device device) : device_(device) { mark(); }
  void mark() override {
    marks_.emplace_back(device_.type(), c10::EventFlag::BACKEND_DEFAULT);
    marks_.back().record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  }
  std::vector<double> take(std::size_t count) override {
    marks_[count].synchronize();
    std::vector<double> wall_s;
    for (std::size_t i = 0; i < count; ++i) wall_s.push_back(marks_[i].elapsedTime(marks_[i + 1]) / 1e3);
    marks_.erase(marks_.begin(), marks_.begin() + static_cast<std::ptrdiff_t>(count));
    return wall_s;
  }

 private:
  torch::Device device_;
  std::deque<c10::Event> marks_;  ///< the last one that was taken, or that of construction, and those after it
};
#endif

/// Null on the CPU, and for a LibTorch before 2.6, with which the host's time counts on a GPU too.
inline std::unique_ptr<DeviceTimeline> timeline_of(torch::Device device) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6)
  if (!device.is_cpu()) return std::make_unique<GpuTimeline>(device);
#else
  static_cast<void>(device);
#endif
  return nullptr;
}

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
