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

#include "harness/data/pack.h"
#include "harness/data/scenes.h"
#include "harness/model/packed.h"
#include "harness/train/adamw.h"
#include "roclip/augment.h"
#include "roclip/caption_pool.h"
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
  for (auto _ : state) packed_attention(qkv, packing, 1, /*causal=*/false).sum().backward();
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

void augmentation_of_images(benchmark::State& state) {
  const auto pixels = torch::rand({kBatch, 3, 32, 32});
  Rng rng(1);
  for (auto _ : state) benchmark::DoNotOptimize(ImageAugmentation{}.apply(pixels, rng));
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

/// A hundred drawings of noise, as many pairs as the paper has.
const Scenes& million_scenes() {
  static const auto scenes = [] {
    auto sprites = std::make_shared<Sprites>();
    for (const auto px : sprite_sides(32)) {
      const auto black = torch::randint(0, 128, {100, 1, 3, px, px}, torch::kByte);
      sprites->sizes.push_back(torch::cat({black + 100, black}, 1).view({200, 3, px, px}).contiguous());
    }
    sprites->classes = {{"thing", {}}};
    for (int i = 0; i < 100; ++i) sprites->nouns.push_back(make_noun("thing", 0));
    return Scenes(sprites, {.pairs = 1000000, .last = 100});
  }();
  return scenes;
}

void scenes_images(benchmark::State& state) {
  const auto batch = torch::randint(0, 1000000, {kBatch}, torch::kLong);
  for (auto _ : state) benchmark::DoNotOptimize(million_scenes().images(batch));
}

void scenes_captions(benchmark::State& state) {
  std::int64_t index = 0;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < kBatch; ++i) benchmark::DoNotOptimize(million_scenes().caption(index++ % 1000000));
  }
}

BENCHMARK(scenes_images)->Unit(benchmark::kMicrosecond);
BENCHMARK(scenes_captions)->Unit(benchmark::kMicrosecond);
BENCHMARK(pack_open_million)->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK(attention_packed)->Unit(benchmark::kMicrosecond);
BENCHMARK(attention_padded)->Unit(benchmark::kMicrosecond);
BENCHMARK(optimizer_ours)->Unit(benchmark::kMicrosecond);
BENCHMARK(optimizer_libtorch)->Unit(benchmark::kMicrosecond);
BENCHMARK(augmentation_of_images)->Unit(benchmark::kMicrosecond);
BENCHMARK(augmentation_of_captions)->Unit(benchmark::kMicrosecond);
BENCHMARK(pool_match)->Arg(200)->Arg(10000)->Unit(benchmark::kMicrosecond);

}  // namespace

int main(int argc, char** argv) {
  at::set_num_threads(1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
