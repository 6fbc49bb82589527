/// Microbenchmarks of what a training step is made of, each beside what it replaced. One thread.
///
///     build/release/bin/parts_bench
#include <filesystem>

#include <unistd.h>

#include <benchmark/benchmark.h>
#include <torch/nn/module.h>
#include <torch/optim/adamw.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <nlohmann/json.hpp>

#include "caption_pool.h"
#include "harness/data/pack.h"
#include "harness/model/conv_block.h"
#include "harness/model/packed.h"
#include "harness/train/adamw.h"
#include "roclip/augment.h"
#include "roclip/clip_model.h"

namespace {

using namespace roclip;
using namespace roclip::bench;

constexpr std::int64_t kBatch = 64;

/// Captions of 4 to 12 tokens.
Packing captions() {
  const auto lengths = torch::arange(kBatch, torch::kLong).remainder(9) + 4;
  return pack(torch::arange(12).unsqueeze(0) < lengths.unsqueeze(1));
}

void attention_packed(benchmark::State& state) {
  const auto packing = captions();
  auto qkv = torch::randn({packing.rows.size(0), 3 * 64}).requires_grad_();
  for (auto _ : state) packed_attention(qkv, packing, 1).sum().backward();
}

void attention_padded(benchmark::State& state) {
  auto qkv = torch::randn({kBatch, 12, 3, 64}).requires_grad_();
  for (auto _ : state) {
    const auto parts = qkv.permute({2, 0, 1, 3});
    (parts[0].matmul(parts[1].transpose(1, 2)) / 8).softmax(-1).matmul(parts[2]).sum().backward();
  }
}

std::vector<torch::Tensor> parameters() {
  std::vector<torch::Tensor> list;
  for (int i = 0; i < 30; ++i) list.push_back(torch::randn({128, 98}).requires_grad_());
  for (auto& parameter : list) parameter.mutable_grad() = torch::randn_like(parameter);
  return list;
}

void optimizer_ours(benchmark::State& state) {
  AdamW optimizer(parameters(), {});
  for (auto _ : state) optimizer.step(1e-3);
}

void optimizer_libtorch(benchmark::State& state) {
  torch::optim::AdamW optimizer(parameters(), torch::optim::AdamWOptions(1e-3));
  for (auto _ : state) optimizer.step();
}

void augmentation_by_image(benchmark::State& state) {
  const auto pixels = torch::rand({kBatch, 3, 32, 32});
  Rng rng(1);
  for (auto _ : state) benchmark::DoNotOptimize(ImageAugmentation{}.apply(pixels, rng));
}

void augmentation_batched(benchmark::State& state) {
  const auto pixels = torch::rand({kBatch, 3, 32, 32});
  Rng rng(1);
  for (auto _ : state) {
    auto generator = rng.generator();
    benchmark::DoNotOptimize(ImageAugmentation{}.apply_batched(pixels, generator));
  }
}

void augmentation_of_captions(benchmark::State& state) {
  const std::vector<std::string> vocabulary = {"apple", "bird", "car"};
  Rng rng(1);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < kBatch; ++i) {
      benchmark::DoNotOptimize(TextAugmentation{}.apply("a drawing of a red apple, a fruit", vocabulary, rng));
    }
  }
}

/// Search and enqueue; the argument is the size of the pool.
void pool_match(benchmark::State& state) {
  CaptionPool pool(unit_rows(torch::randn({state.range(0), 64})), {});
  const auto images = unit_rows(torch::randn({kBatch, 64}));
  for (auto _ : state) {
    benchmark::DoNotOptimize(pool.embeddings(pool.nearest(images)));
    pool.enqueue(images, {});
  }
}

/// What a convolution block did before: LibTorch's convolution, norm and ReLU. The argument chooses the block.
constexpr ConvOptions kBlocks[] = {
    {3, 32, 8, 4, 2}, {32, 32, 3, 1, 1, true}, {64, 64, 3, 1, 1, true}, {64, 128, 3, 2, 1}};
constexpr std::int64_t kSides[] = {32, 8, 4, 4};

torch::Tensor block_input(std::size_t which) {
  const auto side = kSides[which];
  return torch::randn({kBatch, side, side, kBlocks[which].in}).set_requires_grad(which > 0);
}

void conv_block_ours(benchmark::State& state) {
  const auto which = static_cast<std::size_t>(state.range(0));
  ConvBlock block(kBlocks[which]);
  const auto x = block_input(which);
  for (auto _ : state) block->forward(x).sum().backward();
}

void conv_block_libtorch(benchmark::State& state) {
  const auto which = static_cast<std::size_t>(state.range(0));
  const auto& o = kBlocks[which];
  auto weight = torch::randn({o.out, o.in, o.kernel, o.kernel}).contiguous(torch::MemoryFormat::ChannelsLast);
  auto gain = torch::ones({o.out}), offset = torch::zeros({o.out});
  for (auto* parameter : {&weight, &gain, &offset}) parameter->requires_grad_();
  const auto mean = torch::zeros({o.out}), variance = torch::ones({o.out});
  const auto x = block_input(which);
  for (auto _ : state) {
    const auto convolved = torch::conv2d(x.permute({0, 3, 1, 2}), weight, {}, o.stride, o.padding);
    torch::relu(torch::batch_norm(convolved, gain, offset, mean, variance, true, 0.1, 1e-5, false)).sum().backward();
  }
}

/// Opening the packed file of a data set of a million pairs, captions included.
void pack_open_million(benchmark::State& state) {
  const auto file = std::filesystem::temp_directory_path() / ("parts-bench-" + std::to_string(::getpid()) + ".pack");
  {
    PackWriter writer(file, 8);
    const auto image = torch::zeros({3, 8, 8}, torch::kByte);
    Json captions = Json::array();
    for (std::int64_t i = 0; i < 1'000'000; ++i) {
      writer.append(image);
      captions.push_back("a photograph of thing number " + std::to_string(i) + " on a table");
    }
    writer.finish({{"train", {{"first_image", 0}, {"captions", std::move(captions)}}}});
  }
  for (auto _ : state) {
    const auto pack = open_pack(file);
    benchmark::DoNotOptimize(pack.metadata.at("train").at("captions").get<std::vector<std::string>>());
  }
  std::filesystem::remove(file);
}

BENCHMARK(conv_block_ours)->DenseRange(0, 3)->Unit(benchmark::kMicrosecond);
BENCHMARK(conv_block_libtorch)->DenseRange(0, 3)->Unit(benchmark::kMicrosecond);
BENCHMARK(pack_open_million)->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK(attention_packed)->Unit(benchmark::kMicrosecond);
BENCHMARK(attention_padded)->Unit(benchmark::kMicrosecond);
BENCHMARK(optimizer_ours)->Unit(benchmark::kMicrosecond);
BENCHMARK(optimizer_libtorch)->Unit(benchmark::kMicrosecond);
BENCHMARK(augmentation_by_image)->Unit(benchmark::kMicrosecond);
BENCHMARK(augmentation_batched)->Unit(benchmark::kMicrosecond);
BENCHMARK(augmentation_of_captions)->Unit(benchmark::kMicrosecond);
BENCHMARK(pool_match)->Arg(200)->Arg(10000)->Unit(benchmark::kMicrosecond);

}  // namespace

int main(int argc, char** argv) {
  at::set_num_threads(1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
