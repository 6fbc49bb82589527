#include <torch/csrc/autograd/autograd.h>
#include <torch/utils.h>
#include <catch2/catch.hpp>

#include "harness/model/conv_block.h"

using namespace roclip::bench;

namespace {

/// The same block of LibTorch's operations, over copies of the parameters and buffers in f64.
struct Reference {
  explicit Reference(ConvBlock& block) {
    for (const auto& item : block->named_parameters()) {
      tensors[item.key()] = item.value().detach().to(torch::kDouble).requires_grad_();
    }
    for (const auto& item : block->named_buffers()) tensors[item.key()] = item.value().to(torch::kDouble).clone();
  }

  torch::Tensor forward(const torch::Tensor& x, const ConvOptions& o, bool training) {
    const auto convolved =
        torch::conv2d(x.permute({0, 3, 1, 2}), tensors["weight"].permute({3, 2, 0, 1}), {}, o.stride, o.padding);
    const auto normed =
        torch::batch_norm(convolved, tensors["norm.weight"], tensors["norm.bias"], tensors["norm.running_mean"],
                          tensors["norm.running_var"], training, 0.1, 1e-5, false);
    const auto y = torch::relu(normed).permute({0, 2, 3, 1});
    return o.residual ? x + y : y;
  }

  std::map<std::string, torch::Tensor> tensors;
};

bool close(const torch::Tensor& a, const torch::Tensor& b) {
  return torch::allclose(a.to(torch::kDouble), b, 1e-3, 1e-4);
}

}  // namespace

TEST_CASE("a convolution block, its gradients and its running moments equal LibTorch's operations", "[clip][conv]") {
  struct Case {
    const char* name;
    ConvOptions options;
    std::int64_t batch, height, width;
  };
  const Case cases[] = {
      {"patch stem of three channels", {3, 32, 8, 4, 2}, 3, 32, 32},
      {"residual block", {32, 32, 3, 1, 1, true}, 5, 8, 8},
      {"halving, more outputs than a strip", {32, 64, 3, 2, 1}, 7, 8, 8},
      {"odd sides, part of a strip", {8, 24, 3, 2, 1}, 2, 7, 5},
      {"widths that no vector divides", {5, 7, 3, 1, 1}, 3, 6, 6},
      {"one pixel, one channel", {1, 1, 1, 1, 0, true}, 4, 1, 1},
      {"maps of 2 x 2", {64, 40, 3, 2, 1}, 6, 2, 2},
  };
  torch::manual_seed(5);
  for (const auto& c : cases) {
    for (const bool training : {true, false}) {
      INFO(c.name << (training ? ", training" : ", evaluation"));
      ConvBlock block(c.options);
      {
        const torch::NoGradGuard no_grad;
        auto norm = block->named_parameters();
        norm["norm.weight"].uniform_(0.5, 1.5);
        norm["norm.bias"].uniform_(-0.5, 0.5);
        block->named_buffers()["norm.running_mean"].uniform_(-0.5, 0.5);
        block->named_buffers()["norm.running_var"].uniform_(0.5, 2);
      }
      block->train(training);
      Reference reference(block);
      auto x = torch::randn({c.batch, c.height, c.width, c.options.in}).requires_grad_();
      auto x64 = x.detach().to(torch::kDouble).requires_grad_();
      const auto y = block->forward(x), expected = reference.forward(x64, c.options, training);
      REQUIRE(y.sizes() == expected.sizes());
      CHECK(close(y, expected));

      const auto slope = torch::randn_like(y);
      (y * slope).sum().backward();
      (expected * slope).sum().backward();
      CHECK(close(x.grad(), x64.grad()));
      for (const auto& item : block->named_parameters()) {
        INFO(item.key());
        CHECK(close(item.value().grad(), reference.tensors[item.key()].grad()));
      }
      for (const auto& name : {"norm.running_mean", "norm.running_var"}) {
        INFO(name);
        CHECK(close(block->named_buffers()[name], reference.tensors[name]));
      }
    }
  }
}

TEST_CASE("an input that does not learn gets no gradient, and the parameters still do", "[clip][conv]") {
  ConvBlock block(ConvOptions{3, 8, 3, 1, 1});
  const auto x = torch::randn({2, 4, 4, 3});
  block->forward(x).sum().backward();
  CHECK_FALSE(x.grad().defined());
  for (const auto& parameter : block->parameters()) CHECK(parameter.grad().defined());
}

TEST_CASE("the gradient of pixels alone is the same, and leaves the weights without one", "[clip][conv]") {
  torch::manual_seed(6);
  ConvBlock block(ConvOptions{3, 8, 3, 1, 1});
  auto x = torch::randn({2, 6, 6, 3}).requires_grad_();
  const auto alone = torch::autograd::grad({block->forward(x).square().sum()}, {x}).front();
  for (const auto& parameter : block->parameters()) CHECK_FALSE(parameter.grad().defined());
  block->forward(x).square().sum().backward();
  CHECK(alone.equal(x.grad()));
}
