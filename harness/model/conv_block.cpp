#include "harness/model/conv_block.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/init.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/model/kernels/convolution.h"
#include "harness/record/torch_compat.h"

namespace roclip::bench {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

float* data(const torch::Tensor& tensor) { return tensor.data_ptr<float>(); }

struct ConvolutionOnCpu : torch::autograd::Function<ConvolutionOnCpu> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& weight,
                               std::int64_t stride, std::int64_t padding) {
    const ConvShape shape{x.size(0), x.size(1), x.size(2), x.size(3), weight.size(3), weight.size(0), stride, padding};
    auto padded = torch::empty({shape.padded_size()}, x.options());
    pad_images(shape, data(x), data(padded));
    auto y = torch::empty({shape.batch, shape.out_height(), shape.out_width(), shape.out}, x.options());
    conv_forward(shape, data(padded), data(weight), data(y));
    context->save_for_backward({padded, weight});
    context->saved_data["x"] = std::vector<std::int64_t>(x.sizes().begin(), x.sizes().end());
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &padded = saved[0], &weight = saved[1];
    const auto x = context->saved_data["x"].toIntVector();
    const ConvShape shape{x[0],
                          x[1],
                          x[2],
                          x[3],
                          weight.size(3),
                          weight.size(0),
                          context->saved_data["stride"].toInt(),
                          context->saved_data["padding"].toInt()};
    const auto grad = grads[0].contiguous();
    torch::Tensor grad_x, grad_weight;
    if (context->needs_input_grad(1)) {  // not where only the pixels are changed
      grad_weight = torch::empty_like(weight);
      conv_backward_weight(shape, data(padded), data(grad), data(grad_weight));
    }
    if (context->needs_input_grad(0)) {
      auto grad_padded = torch::empty_like(padded);
      conv_backward_padded(shape, data(weight), data(grad), data(grad_padded));
      grad_x = torch::empty(x, weight.options());
      unpad_images(shape, data(grad_padded), data(grad_x));
    }
    return {grad_x, grad_weight, {}, {}};
  }
};

}  // namespace

torch::Tensor convolution(const torch::Tensor& x, const torch::Tensor& weight, std::int64_t stride,
                          std::int64_t padding) {
  if (x.is_cpu() && x.scalar_type() == torch::kFloat32 && !Autocast::enabled(x.device())) {
    return ConvolutionOnCpu::apply(x.contiguous(), weight, stride, padding);
  }
  return torch::conv2d(x.permute({0, 3, 1, 2}), weight.permute({3, 2, 0, 1}), {}, stride, padding)
      .permute({0, 2, 3, 1});
}

ConvBlockImpl::ConvBlockImpl(const ConvOptions& options)
    : options_(options), norm_(register_module("norm", BatchNorm(options.out))) {
  auto weight = torch::empty({options.out, options.in, options.kernel, options.kernel});
  torch::nn::init::kaiming_normal_(weight, 0.0, torch::kFanIn, torch::kReLU);
  weight_ = register_parameter("weight", weight.permute({2, 3, 1, 0}).contiguous());
}

torch::Tensor ConvBlockImpl::forward(const torch::Tensor& x) {
  const auto convolved = convolution(x, weight_, options_.stride, options_.padding);
  const auto y = torch::relu(norm_(convolved.permute({0, 3, 1, 2}))).permute({0, 2, 3, 1});
  return options_.residual ? x + y : y;
}

}  // namespace roclip::bench
