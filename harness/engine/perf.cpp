#include "harness/engine/perf.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>

#include <unistd.h>

#include <torch/optim/adamw.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/clip/clip.h"
#include "harness/data/data.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/engine/cell.h"
#include "harness/record/environment.h"

namespace roclip::bench {

namespace {

using Clock = std::chrono::steady_clock;

template <class Work>
double seconds(const Work& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Values of all rounds.
struct Series {
  std::vector<double> values;
  void add(double value) { values.push_back(value); }
  double median() const {
    auto sorted = values;
    std::ranges::sort(sorted);
    return sorted.empty() ? 0 : sorted[sorted.size() / 2];
  }
  Json json() const {
    const auto [low, high] = std::ranges::minmax(values);
    return {{"median", median()}, {"min", low}, {"max", high}, {"rounds", values.size()}};
  }
};

/// Floating-point operations of a training step: forward and twice that backward, of convolutions and matrices.
double step_flops(const ModelParams& m, std::int64_t batch, double tokens_per_caption) {
  double image = 0;
  std::int64_t side = m.image_px / m.stem_stride_px;
  const auto square = [](std::int64_t x) { return static_cast<double>(x * x); };
  image += square(side) * square(m.stem_kernel_px) * 3 * static_cast<double>(m.stage_widths[0]);
  for (std::size_t stage = 0; stage < m.stage_widths.size(); ++stage) {
    const auto width = static_cast<double>(m.stage_widths[stage]);
    if (stage > 0) {
      side = (side + 1) / 2;
      image += square(side) * 9 * static_cast<double>(m.stage_widths[stage - 1]) * width;
    }
    image += static_cast<double>(m.stage_blocks[stage]) * square(side) * 9 * width * width;
  }
  const auto w = static_cast<double>(m.text_width), d = static_cast<double>(m.embedding_dim);
  const double layer = tokens_per_caption * (4 + 2 * static_cast<double>(m.text_mlp_ratio)) * w * w +
                       2 * tokens_per_caption * tokens_per_caption * w;
  const double text = static_cast<double>(m.text_layers) * layer + w * d;
  const double projection = static_cast<double>(m.stage_widths.back()) * d;
  const double loss = static_cast<double>(batch) * d;
  return 2 * 3 * static_cast<double>(batch) * (image + text + projection + loss);
}

/// One kind of training, measured anew in every round.
struct Training {
  std::string name, defense;
  Json params;
  Series step_s{};
  std::map<std::string, Series> share{};  ///< phase -> share of the step
};

struct Bench {
  Registry registry;
  Dataset data;
  ModelParams model;
  std::shared_ptr<const Vocabulary> vocabulary;
  TrainingParams training{};

  void measure(Training& what) const {
    constexpr std::int64_t kWarm = 5, kSteps = 45;
    const auto attack = registry.make_attack("none", Json::object());
    const PoisonedPairs pairs(data, {}, *attack, 1);
    const auto clip = make_clip(model, vocabulary, 1, torch::kCPU);
    const auto defense = registry.make_defense(what.defense, what.params);
    Trainer trainer(*clip, pairs, *defense, training, vocabulary->known_words(), 1);
    Series steps;
    std::map<std::string, double> warm;
    auto last = Clock::now();
    TrainHooks hooks;
    hooks.after_step = [&](std::int64_t step) {
      if (step == kWarm) warm = trainer.phase_s();
      if (step > kWarm) steps.add(std::chrono::duration<double>(Clock::now() - last).count());
      last = Clock::now();
    };
    hooks.stop_requested = [&] { return steps.values.size() == kSteps; };
    try {
      trainer.run(hooks);
    } catch (const Interrupted&) {
    }
    what.step_s.add(steps.median());
    double all = 0;
    auto phases = trainer.phase_s();
    for (auto& [phase, s] : phases) all += s -= warm[phase];
    for (const auto& [phase, s] : phases) what.share[phase].add(s / all);
  }
};

double sgemm_gflops(std::int64_t m, std::int64_t n, std::int64_t k) {
  const auto a = torch::randn({m, k}), b = torch::randn({k, n});
  auto c = torch::empty({m, n});
  torch::mm_out(c, a, b);
  const double work = 2 * static_cast<double>(m * n * k);
  const auto repeats = static_cast<int>(4e8 / work) + 1;
  return work * repeats / seconds([&] {
           for (int i = 0; i < repeats; ++i) torch::mm_out(c, a, b);
         }) /
         1e9;
}

double memory_gb_per_s() {
  constexpr std::size_t kBytes = 64 << 20;
  static std::vector<char> from(kBytes, 1), to(kBytes, 2);
  return 2 * static_cast<double>(kBytes) / seconds([&] { std::memcpy(to.data(), from.data(), kBytes); }) / 1e9;
}

/// Seconds of a step of ours and of LibTorch's AdamW on parameters of the same sizes.
std::pair<double, double> optimizer_s(const Bench& bench) {
  constexpr int kSteps = 10;
  const auto parameters = [&] { return make_clip(bench.model, bench.vocabulary, 1, torch::kCPU); };
  const auto ours_of = parameters(), theirs_of = parameters();
  AdamW ours(ours_of->trainable(), {});
  for (auto& parameter : theirs_of->trainable()) parameter.mutable_grad() = torch::zeros_like(parameter);
  torch::optim::AdamW theirs(theirs_of->trainable(), torch::optim::AdamWOptions(1e-3));
  ours.step(1e-3);
  theirs.step();
  return {seconds([&] {
            for (int i = 0; i < kSteps; ++i) ours.step(1e-3);
          }) / kSteps,
          seconds([&] {
            for (int i = 0; i < kSteps; ++i) theirs.step();
          }) / kSteps};
}

double mean_tokens(const Bench& bench) {
  const auto clip = make_clip(bench.model, bench.vocabulary, 1, torch::kCPU);
  const auto tokens = clip->tokenize(bench.data.train.captions);
  return (tokens != 0).sum().item<double>() / static_cast<double>(tokens.size(0));
}

}  // namespace

int perf(const Json& task) {
  const std::int64_t rounds = task.at("rounds");
  const Json emoji = effective_data("emoji", ".", "data");
  const auto progress = [](std::string_view what, std::int64_t done, std::int64_t total) {
    if (done == total) std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  };
  Bench bench{.registry = Registry(plugin_search_path(task.at("plugin_path"))),
              .data = load_data(emoji, model_params("tiny", "model").image_px, progress),
              .model = model_params("tiny", "model"),
              .vocabulary = nullptr};
  bench.vocabulary = std::make_shared<const Vocabulary>(bench.data.train.captions, bench.model.vocabulary_min_count);
  const double flops = step_flops(bench.model, bench.training.batch_size, mean_tokens(bench));

  std::vector<Training> trainings = {
      {"clip", "clip", Json::object()},
      {"clip augmented", "clip", {{"image_augmentation", true}, {"text_augmentation", true}}},
      {"roclip, pool 2 %", "roclip", {{"match_every", 1}}},
      {"roclip, whole pool", "roclip", {{"match_every", 1}, {"pool_fraction", 1.0}}},
  };
  Series sgemm, shaped, memory, optimizer, optimizer_ratio;
  for (std::int64_t round = 0; round < rounds; ++round) {
    std::fprintf(stderr, "round %lld of %lld\n", static_cast<long long>(round + 1), static_cast<long long>(rounds));
    sgemm.add(sgemm_gflops(1024, 1024, 1024));
    shaped.add(sgemm_gflops(bench.training.batch_size * 64, 32, 288));  // the first block as a matrix product
    memory.add(memory_gb_per_s());
    const auto [ours, theirs] = optimizer_s(bench);
    optimizer.add(ours);
    optimizer_ratio.add(theirs / ours);
    for (auto& training : trainings) bench.measure(training);
  }

  Json result = {{"environment", environment(torch::kCPU, {})},
                 {"machine",
                  {{"sgemm_1024_gflops", sgemm.json()},
                   {"sgemm_block_gflops", shaped.json()},
                   {"memory_gb_per_s", memory.json()}}},
                 {"optimizer", {{"step_s", optimizer.json()}, {"libtorch_over_ours", optimizer_ratio.json()}}},
                 {"step_gflop", flops / 1e9},
                 {"trainings", Json::object()}};
  for (const auto& training : trainings) {
    Json shares = Json::object();
    for (const auto& [phase, series] : training.share) shares[phase] = series.json();
    result["trainings"][training.name] = {{"step_s", training.step_s.json()},
                                          {"gflops", flops / training.step_s.median() / 1e9},
                                          {"of_sgemm_1024", flops / training.step_s.median() / 1e9 / sgemm.median()},
                                          {"of_sgemm_block", flops / training.step_s.median() / 1e9 / shaped.median()},
                                          {"over_clip", training.step_s.median() / trainings[0].step_s.median()},
                                          {"share", std::move(shares)}};
  }
  if (task.at("json")) {
    std::cout << result.dump(2) << "\n";
    return 0;
  }
  std::printf("%s, one thread, %lld rounds, medians\n", result.at("environment").at("cpu").get<std::string>().c_str(),
              static_cast<long long>(rounds));
  std::printf("  sgemm 1024^3         %8.1f GFLOP/s\n  sgemm 4096 x 32 x 288%8.1f GFLOP/s\n", sgemm.median(),
              shaped.median());
  std::printf("  memory               %8.1f GB/s\n", memory.median());
  std::printf("  optimizer            %8.2f ms, LibTorch's AdamW takes %.1f times as long\n", 1e3 * optimizer.median(),
              optimizer_ratio.median());
  std::printf("\ntraining step of the tiny model, batch %lld, %.2f GFLOP\n",
              static_cast<long long>(bench.training.batch_size), flops / 1e9);
  for (const auto& training : trainings) {
    const double gflops = flops / training.step_s.median() / 1e9;
    std::printf("  %-20s %6.2f ms  %5.1f GFLOP/s, %2.0f %% of sgemm 1024^3 \n   ", training.name.c_str(),
                1e3 * training.step_s.median(), gflops, 100 * gflops / sgemm.median());
    for (const auto& [phase, series] : training.share) std::printf(" %s %.1f %%", phase.c_str(), 100 * series.median());
    std::puts("");
  }
  return 0;
}

}  // namespace roclip::bench
