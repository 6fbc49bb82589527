#include <torch/nn/module.h>
#include <torch/optim/adamw.h>

#include <catch2/catch.hpp>

#include "harness/record/torch_compat.h"
#include "harness/train/adamw.h"

using namespace roclip::bench;

TEST_CASE("the flat AdamW follows LibTorch's, which decays matrices and not vectors here", "[train]") {
  torch::manual_seed(1);
  const auto make = [] {
    torch::manual_seed(2);
    return std::vector<torch::Tensor>{torch::randn({3}).requires_grad_(), torch::randn({4, 3}).requires_grad_(),
                                      torch::randn({}).requires_grad_()};
  };
  auto ours = make(), theirs = make();
  AdamW optimizer(ours, {.beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-6, .weight_decay = 0.1});
  const auto options = [](double decay) {
    auto o = torch::optim::AdamWOptions(0.01).betas({0.9, 0.98}).eps(1e-6).weight_decay(decay);
    return std::make_unique<torch::optim::AdamWOptions>(o);
  };
  torch::optim::AdamW reference(
      std::vector<torch::optim::OptimizerParamGroup>{{{theirs[1]}, options(0.1)}, {{theirs[0], theirs[2]}, options(0)}},
      torch::optim::AdamWOptions(0.01));
  const auto x = torch::randn({5, 3});
  const auto loss = [&](const std::vector<torch::Tensor>& p) {
    return ((x * p[0]).matmul(p[1].t()) * p[2]).square().mean();
  };
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    loss(ours).backward();
    optimizer.step(0.01);
    reference.zero_grad();
    loss(theirs).backward();
    reference.step();
  }
  for (std::size_t i = 0; i < ours.size(); ++i) CHECK(torch::allclose(ours[i], theirs[i], 1e-5, 1e-6));
}

TEST_CASE("a parameter without gradient still decays and keeps its momentum", "[train]") {
  auto weight = torch::ones({2, 2}).requires_grad_();
  AdamW optimizer({weight}, {.weight_decay = 0.5});
  optimizer.zero_grad();
  weight.sum().backward();
  optimizer.step(0.1);
  const auto after_one = weight.detach().clone();
  optimizer.zero_grad();
  optimizer.step(0.1);
  CHECK((weight < after_one * 0.95).all().item<bool>());  // 5 % of decay and the momentum of the first step
}

TEST_CASE("parameters have rates of their own, and keep their strides", "[train]") {
  auto slow = torch::ones({2, 3, 2, 2}).contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_();
  auto fast = torch::ones({2, 2}).requires_grad_();
  const auto strides = slow.strides().vec();
  AdamW optimizer({slow, fast}, {.weight_decay = 0}, {0.1, 1});
  CHECK(slow.strides() == strides);
  optimizer.zero_grad();
  (slow.sum() + fast.sum()).backward();
  optimizer.step(0.5);
  CHECK(torch::allclose(slow, torch::full_like(slow, 0.95)));
  CHECK(torch::allclose(fast, torch::full_like(fast, 0.5)));
}

TEST_CASE("a long gradient is shortened, a short one stays", "[train]") {
  auto weight = torch::zeros({2, 2}).requires_grad_();
  AdamW optimizer({weight}, {});
  const auto shortened = [&](double longest) {
    optimizer.zero_grad();
    (weight * torch::tensor({{3.0F, 0.0F}, {0.0F, 4.0F}})).sum().backward();
    optimizer.shorten_gradient(longest);
    return weight.grad().norm().item<double>();
  };
  CHECK(shortened(1) == Approx(1));
  CHECK(shortened(10) == Approx(5));
}

TEST_CASE("every parameter and its gradient begin where an allocation could, as kernels of a GPU ask for", "[train]") {
  std::vector<torch::Tensor> parameters;
  for (const std::int64_t size : {1, 3, 65}) parameters.push_back(torch::randn({size}).requires_grad_());
  AdamW optimizer(parameters, {});
  for (const auto& parameter : parameters) {
    CHECK(parameter.storage_offset() * 4 % 256 == 0);
    CHECK(parameter.grad().storage_offset() * 4 % 256 == 0);
  }
}

TEST_CASE("gradients may stay where autograd makes them, as a GPU takes them", "[train][gpu]") {
  if (!kAdamWOfLists) return;  // an older LibTorch adds them up in the arena everywhere
  torch::manual_seed(1);
  std::vector<torch::Tensor> one, other;
  for (const auto& shape : {std::vector<std::int64_t>{4, 3}, {3}, {2, 5, 3, 3}, {7}}) {
    one.push_back(torch::randn(shape).requires_grad_());
    other.push_back(one.back().detach().clone().requires_grad_());
  }
  for (auto* list : {&one, &other}) {  // channels last: a gradient has the strides of its parameter
    (*list)[2].set_data((*list)[2].contiguous(torch::MemoryFormat::ChannelsLast));
  }
  AdamW in_arena(one, {}, {}, true), where_made(other, {}, {}, false);
  const auto x = torch::randn({4, 3}), maps = torch::randn({2, 5, 4, 4});
  for (int step = 0; step < 10; ++step) {
    for (auto [optimizer, p] : {std::pair{&in_arena, &one}, {&where_made, &other}}) {
      optimizer->zero_grad();  // the last parameter never gets a gradient
      ((x * (*p)[1]).matmul((*p)[0].t()).square().mean() + torch::conv2d(maps, (*p)[2]).square().mean()).backward();
      optimizer->shorten_gradient(0.3);
      optimizer->step(0.01);
    }
  }
  for (std::size_t i = 0; i < one.size(); ++i) CHECK(torch::allclose(one[i], other[i], 1e-5, 1e-6));
}
