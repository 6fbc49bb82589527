#include "harness/model/recompute.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/utils.h>

#include "harness/record/torch_compat.h"

namespace roclip::bench {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Function = std::function<torch::Tensor(const torch::Tensor&)>;

struct FunctionHolder : torch::CustomClassHolder {
  Function f;
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& /*parameter*/,
                               const c10::intrusive_ptr<FunctionHolder>& holder) {
    context->save_for_backward({x});
    context->saved_data["f"] = c10::IValue::make_capsule(holder);
    return holder->f(x);  // without gradient: autograd is off in here
  }
  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables()[0];
    const auto holder = context->saved_data["f"].toCapsule();
    const auto& f = static_cast<const FunctionHolder&>(*holder).f;
    const torch::AutoGradMode with_gradient(true);
    auto x = saved.detach();
    if (x.is_floating_point()) x.requires_grad_(saved.requires_grad());
    torch::autograd::backward({f(x)}, {grads[0]});  // parameters get their gradients here
    return {x.grad(), torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

torch::Tensor recomputed(const Function& f, const torch::Tensor& x, const torch::nn::Module& of) {
  if (!torch::GradMode::is_enabled()) return f(x);
  const auto parameter = of.parameters().front();
  if (!x.requires_grad() && !parameter.requires_grad()) return f(x);
  auto holder = c10::make_intrusive<FunctionHolder>();
  holder->f = [f, bf16 = Autocast::enabled(x.device())](const torch::Tensor& y) {
    const Autocast autocast(y.device(), bf16);
    return f(y);
  };
  return Recomputed::apply(x, parameter, holder);
}

}  // namespace roclip::bench
