#include "harness/model/conv_block.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/functional/batchnorm.h>
#include <torch/nn/init.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/model/conv_kernels.h"

namespace roclip::bench {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

float* data(const torch::Tensor& tensor) { return tensor.data_ptr<float>(); }

ConvShape shape_of(const torch::Tensor& x, const ConvOptions& options) {
  return {x.size(0), x.size(1), x.size(2), options.in, options.out, options.kernel, options.stride, options.padding};
}

struct ConvBlockOnCpu : torch::autograd::Function<ConvBlockOnCpu> {
  /// @param mean, variance of the running average; used if not `of_batch`, else moved towards the batch by `momentum`
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& weight,
                               const torch::Tensor& gain, const torch::Tensor& offset, torch::Tensor mean,
                               torch::Tensor variance, const ConvOptions& options, bool of_batch, double momentum,
                               double epsilon) {
    const auto shape = shape_of(x, options);
    const auto pixels = shape.out_pixels();
    auto padded = torch::empty({shape.padded_size()}, x.options());
    pad_images(shape, data(x), data(padded));
    auto convolved = torch::empty({pixels, shape.out}, x.options());
    conv_forward(shape, data(padded), data(weight), data(convolved));
    if (of_batch) {
      auto batch_mean = torch::empty_like(mean), batch_variance = torch::empty_like(variance);
      channel_moments(data(convolved), pixels, shape.out, data(batch_mean), data(batch_variance));
      const auto n = static_cast<double>(pixels);
      mean.lerp_(batch_mean, momentum);
      variance.lerp_(batch_variance * (n / std::max(n - 1, 1.0)), momentum);  // unbiased, as everyone keeps it
      mean = batch_mean;
      variance = batch_variance;
    }
    const auto inverse = (variance + epsilon).rsqrt();
    auto y = torch::empty({shape.batch, shape.out_height(), shape.out_width(), shape.out}, x.options());
    norm_relu_forward(data(convolved), pixels, shape.out, {data(mean), data(inverse), data(gain), data(offset)},
                      options.residual ? data(x) : nullptr, data(y));
    context->save_for_backward({padded, weight, gain, offset, convolved, mean.clone(), inverse});
    context->saved_data["shape"] = std::vector<std::int64_t>(x.sizes().begin(), x.sizes().end());
    context->saved_data["options"] = std::vector<std::int64_t>{options.in,     options.out,     options.kernel,
                                                               options.stride, options.padding, options.residual};
    context->saved_data["of_batch"] = of_batch;
    context->saved_data["input_learns"] = x.requires_grad();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &padded = saved[0], &weight = saved[1], &gain = saved[2], &offset = saved[3], &convolved = saved[4],
               &mean = saved[5], &inverse = saved[6];
    const auto x_shape = context->saved_data["shape"].toIntVector();
    const auto o = context->saved_data["options"].toIntVector();
    const ConvShape shape{x_shape[0], x_shape[1], x_shape[2], o[0], o[1], o[2], o[3], o[4]};
    const bool residual = o[5] != 0;
    const auto grad = grads[0].contiguous();
    auto grad_convolved = torch::empty_like(convolved), grad_weight = torch::empty_like(weight),
         grad_gain = torch::empty_like(gain), grad_offset = torch::empty_like(offset);
    norm_relu_backward(data(convolved), data(grad), shape.out_pixels(), shape.out,
                       {data(mean), data(inverse), data(gain), data(offset)}, context->saved_data["of_batch"].toBool(),
                       data(grad_convolved), data(grad_gain), data(grad_offset));
    conv_backward_weight(shape, data(padded), data(grad_convolved), data(grad_weight));
    torch::Tensor grad_x;
    if (context->saved_data["input_learns"].toBool()) {
      auto grad_padded = torch::empty_like(padded);
      conv_backward_padded(shape, data(weight), data(grad_convolved), data(grad_padded));
      grad_x = torch::empty(x_shape, weight.options());
      unpad_images(shape, data(grad_padded), residual ? data(grad) : nullptr, data(grad_x));
    }
    variable_list all(10);
    all[0] = grad_x;
    all[1] = grad_weight;
    all[2] = grad_gain;
    all[3] = grad_offset;
    return all;
  }
};

}  // namespace

ConvBlockImpl::ConvBlockImpl(const ConvOptions& options)
    : options_(options), norm_(register_module("norm", torch::nn::BatchNorm2d(options.out))) {
  auto weight = torch::empty({options.out, options.in, options.kernel, options.kernel});
  torch::nn::init::kaiming_normal_(weight, 0.0, torch::kFanIn, torch::kReLU);
  weight_ = register_parameter("weight", weight.permute({2, 3, 1, 0}).contiguous());
}

torch::Tensor ConvBlockImpl::forward(const torch::Tensor& x) {
  const auto momentum = norm_->options.momentum().value(), epsilon = norm_->options.eps();
  if (is_training()) norm_->num_batches_tracked += 1;
  if (x.is_cpu()) {
    return ConvBlockOnCpu::apply(x.contiguous(), weight_, norm_->weight, norm_->bias, norm_->running_mean,
                                 norm_->running_var, options_, is_training(), momentum, epsilon);
  }
  const auto channels_last = [](const torch::Tensor& nhwc) { return nhwc.permute({0, 3, 1, 2}); };
  const auto convolved =
      torch::conv2d(channels_last(x), weight_.permute({3, 2, 0, 1}), {}, options_.stride, options_.padding);
  const auto y = torch::relu(torch::batch_norm(convolved, norm_->weight, norm_->bias, norm_->running_mean,
                                               norm_->running_var, is_training(), momentum, epsilon, true))
                     .permute({0, 2, 3, 1});
  return options_.residual ? x + y : y;
}

}  // namespace roclip::bench
