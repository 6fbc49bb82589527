/// How fast this machine runs what a cell is made of, and what part of what it could do that is. In one process,
/// single-threaded, in rounds that visit every part, so that a noisy neighbour disturbs all parts alike: the machine
/// (multiply-adds, sgemm, memory), training steps of the tiny model under several defenses by phase, each part of a
/// step; then, with a PROGRAM, whole runs of a small study with one and two workers. Prints medians and spreads as
/// JSON.
///
///     steps_bench [ROUNDS [PROGRAM]]      ROUNDS: 7 unless given; PROGRAM: bin/roclip-bench
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>

#include <unistd.h>

#include <torch/optim/adamw.h>
#include <torch/serialize/output-archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "fma_peak.h"
#include "harness/data/data.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/engine/cell.h"
#include "harness/engine/commands.h"
#include "harness/model/clip.h"
#include "harness/model/vocabulary.h"
#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/record/guarded.h"
#include "harness/record/machine.h"
#include "roclip/augment.h"
#include "roclip/error.h"

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

/// "/steps/clip/ms" -> its values. Places as in the JSON that is printed.
using Figures = std::map<std::string, Series>;

/// Floating-point operations of a training step: forward and twice that backward, of convolutions and matrices.
double step_flops(const ModelSpec& m, std::int64_t batch, double tokens_per_caption) {
  const auto& conv = std::get<ConvSpec>(m.image);
  const auto& transformer = m.text.transformer;
  double image = 0;
  std::int64_t side = m.image_px / conv.stem_stride_px;
  const auto square = [](std::int64_t x) { return static_cast<double>(x * x); };
  image += square(side) * square(conv.stem_kernel_px) * 3 * static_cast<double>(conv.stage_widths[0]);
  for (std::size_t stage = 0; stage < conv.stage_widths.size(); ++stage) {
    const auto width = static_cast<double>(conv.stage_widths[stage]);
    if (stage > 0) {
      side = (side + 1) / 2;
      image += square(side) * 9 * static_cast<double>(conv.stage_widths[stage - 1]) * width;
    }
    image += static_cast<double>(conv.stage_blocks[stage]) * square(side) * 9 * width * width;
  }
  const auto w = static_cast<double>(transformer.width), d = static_cast<double>(m.embedding_dim);
  const double layer = tokens_per_caption * (4 * w + 2 * static_cast<double>(transformer.mlp_width)) * w +
                       2 * tokens_per_caption * tokens_per_caption * w;
  const double text = static_cast<double>(transformer.layers) * layer + w * d;
  const double projection = static_cast<double>(conv.stage_widths.back()) * d;
  const double loss = static_cast<double>(batch) * d;
  return 2 * 3 * static_cast<double>(batch) * (image + text + projection + loss);
}

/// One kind of training, measured anew in every round.
struct Training {
  std::string name, defense;
  Json params;
};

struct Bench {
  Registry registry;
  Dataset data;
  ModelSpec model;
  std::shared_ptr<const Vocabulary> vocabulary;
  double step_flops = 0;
  TrainingParams training{};
  Figures figures{};

  std::unique_ptr<TrainableClip> clip() const { return make_clip(model, vocabulary, 1, torch::kCPU); }

  /// A few dozen steps, between two looks at how fast the machine just is: neighbours come and go within seconds.
  void measure(const Training& what) {
    constexpr std::int64_t kWarm = 5, kSteps = 45;
    const auto attack = registry.make_attack("none", Json::object());
    const PoisonedPairs pairs(data, {}, *attack, {}, 1);
    const auto trained = clip();
    const auto defense = registry.make_defense(what.defense, what.params);
    const std::vector<std::int64_t> no_clean_subset;
    const std::vector<bool> not_told;
    Trainer trainer(*trained, *defense, training,
                    {.pairs = pairs,
                     .clean_subset = no_clean_subset,
                     .poisoned = not_told,
                     .vocabulary = vocabulary->known_words(),
                     .seed = 1});
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
    const double before = sgemm_gflops(1024, 1024, 1024);
    try {
      trainer.run(hooks);
    } catch (const Interrupted&) {
    }
    const double sgemm = (before + sgemm_gflops(1024, 1024, 1024)) / 2;
    const auto place = "/steps/" + what.name;
    const double gflops = step_flops / steps.median() / 1e9;
    figures[place + "/ms"].add(1e3 * steps.median());
    figures[place + "/gflops"].add(gflops);
    figures[place + "/ratio_to_sgemm_1024"].add(gflops / sgemm);
    figures["/machine/sgemm_1024_gflops"].add(sgemm);
    double all = 0;
    auto phases = trainer.phase_s();
    for (auto& [phase, s] : phases) all += s -= warm[phase];
    for (const auto& [phase, s] : phases) figures[place + "/share/" + phase].add(s / all);
  }
};

double memory_gb_per_s() {
  constexpr std::size_t kBytes = 64 << 20;
  static std::vector<char> from(kBytes, 1), to(kBytes, 2);
  return 2 * static_cast<double>(kBytes) / seconds([&] { std::memcpy(to.data(), from.data(), kBytes); }) / 1e9;
}

/// Parameters with gradients, for optimizers.
std::vector<torch::Tensor> with_gradients(TrainableClip& clip) {
  auto parameters = clip.trainable();
  for (auto& parameter : parameters) parameter.mutable_grad() = torch::zeros_like(parameter);
  return parameters;
}

/// The parts of a step one by one, and what happens beside steps. In ms a batch, but for what is said otherwise.
void measure_parts(Bench& bench) {
  constexpr int kRepeats = 10;
  const auto part = [&](const std::string& name, const auto& work) {
    work();
    const double ms = 1e3 / kRepeats * seconds([&] {
                        for (int i = 0; i < kRepeats; ++i) work();
                      });
    bench.figures["/parts/" + name + "_ms"].add(ms);
    return ms;
  };
  const auto batch = bench.training.batch_size;
  const auto attack = bench.registry.make_attack("none", Json::object());
  const PoisonedPairs pairs(bench.data, {}, *attack, {}, 1);
  const auto indices = torch::randperm(pairs.size()).narrow(0, 0, batch);
  const auto clip = bench.clip();
  const auto pixels = to_pixels(pairs.images(indices), torch::kCPU);
  std::vector<std::string> captions;
  for (std::int64_t i = 0; i < batch; ++i) captions.push_back(pairs.caption(i));
  Rng rng(1);
  part("loader", [&] { to_pixels(pairs.images(indices), torch::kCPU); });
  part("augment_images", [&] { ImageAugmentation{}.apply(pixels, rng); });
  part("augment_captions", [&] {
    for (const auto& caption : captions) TextAugmentation{}.apply(caption, bench.vocabulary->known_words(), rng);
  });
  part("tokenize", [&] { clip->tokenize(captions); });
  clip->train(false);
  part("evaluate_images", [&] { embed_images(*clip, bench.data.held_out.images(0, batch)); });
  clip->train(true);

  AdamW ours(with_gradients(*clip), {});
  const auto other = bench.clip();
  torch::optim::AdamW theirs(with_gradients(*other), torch::optim::AdamWOptions(1e-3));
  const double ours_ms = part("optimizer", [&] { ours.step(1e-3); });
  const double theirs_ms = part("optimizer_libtorch", [&] { theirs.step(); });
  bench.figures["/parts/ratio_optimizer_libtorch_to_ours"].add(theirs_ms / ours_ms);

  const auto folder = std::filesystem::temp_directory_path() / ("roclip-bench-perf-" + std::to_string(::getpid()));
  std::int64_t step = 0;
  const CheckpointStore store(folder, {});
  part("checkpoint",
       [&] { store.save(++step, [&](torch::serialize::OutputArchive& archive) { ours.save(archive); }); });
  std::filesystem::remove_all(folder);
}

/// What a command prints, as JSON. @throws Error(kInternal)
Json output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw Error(ErrorKind::kInternal, "cannot run " + command);
  char chunk[4096];
  while (const auto got = std::fread(chunk, 1, sizeof chunk, pipe)) text.append(chunk, got);
  if (::pclose(pipe) != 0) throw Error(ErrorKind::kInternal, "failed: " + command);
  return Json::parse(text);
}

/// Whole runs of a small study, as a user starts them, with one worker and with two: what a worker's start, evaluation,
/// checkpoints and scheduling take, and what a second core brings.
void measure_study(Bench& bench, const std::string& program) {
  const auto folder = std::filesystem::temp_directory_path() / ("roclip-bench-perf-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const Json matrix = {
      {"schema_version", 1}, {"name", "perf"},        {"data", "emoji"},
      {"model", "tiny"},     {"seeds", {1, 2, 3, 4}}, {"training", {{"epochs", 3}}},
      {"attacks", {"none"}}, {"defenses", {"clip"}},  {"metrics", {"attack_success", "zero_shot", "linear_probe"}}};
  write_json(folder / "matrix.json", matrix, Flush::kNo);
  std::map<std::string, double> wall_s;
  for (const std::string jobs : {"1", "2"}) {
    const auto out = folder / ("jobs-" + jobs);
    std::fprintf(stderr, "a study with %s worker%s\n", jobs.c_str(), jobs == "1" ? "" : "s");
    const Json run = output_of("'" + program + "' run '" + (folder / "matrix.json").string() + "' --out '" +
                               out.string() + "' --device cpu --progress none --json --jobs " + jobs + " 2>/dev/null");
    wall_s[jobs] = run.at("wall_s");
    if (jobs == "2") bench.figures["/study/share_scheduling"].add(run.at("scheduling_overhead"));
    for (const auto& file : std::filesystem::directory_iterator(out / "cells")) {
      const Json cost = read_json(file.path()).at("cost");
      double evaluation_s = 0;
      for (const auto& [phase, s] : cost.at("phase_s").items()) {
        if (phase.starts_with("evaluate.")) evaluation_s += s.get<double>();
      }
      bench.figures["/study/first_step_s"].add(cost.at("first_step_s"));
      bench.figures["/study/share_evaluation"].add(evaluation_s / cost.at("wall_s").get<double>());
      bench.figures["/study/share_checkpoint"].add(cost.at("phase_s").value("train.checkpoint", 0.0) /
                                                   cost.at("wall_s").get<double>());
    }
  }
  bench.figures["/study/ratio_two_workers_to_one"].add(wall_s["1"] / wall_s["2"]);
  std::filesystem::remove_all(folder);
}

double mean_tokens(const Bench& bench) {
  std::vector<std::string> captions;
  for (std::int64_t i = 0; i < bench.data.train->size(); ++i) captions.push_back(bench.data.train->caption(i));
  const auto tokens = bench.clip()->tokenize(captions);
  return (tokens != 0).sum().item<double>() / static_cast<double>(tokens.size(0));
}

Json measure(std::int64_t rounds, const std::string& program) {
  const auto progress = [](std::string_view what, std::int64_t done, std::int64_t total) {
    if (done == total) std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  };
  const auto model = model_spec(effective_model("tiny", ".", "model"));
  Bench bench{.registry = Registry(plugin_search_path({})),
              .data = load_data(effective_data("emoji", ".", "data"), model.image_px, progress),
              .model = model,
              .vocabulary = nullptr};
  bench.vocabulary = std::make_shared<const Vocabulary>(*bench.data.train, model.tokenizer.min_count);
  const auto batch = bench.training.batch_size;
  bench.step_flops = step_flops(model, batch, mean_tokens(bench));

  const std::vector<Training> trainings = {
      {"clip", "clip", Json::object()},
      {"clip augmented", "clip", {{"image_augmentation", true}, {"text_augmentation", true}}},
      {"roclip, pool 2 %", "roclip", {{"match_every", 1}}},
      {"roclip, whole pool", "roclip", {{"match_every", 1}, {"pool_fraction", 1.0}}},
  };
  for (std::int64_t round = 0; round < rounds; ++round) {
    std::fprintf(stderr, "round %lld of %lld\n", static_cast<long long>(round + 1), static_cast<long long>(rounds));
    bench.figures["/machine/fma_peak_gflops"].add(fma_peak_gflops());
    bench.figures["/machine/sgemm_block_gflops"].add(sgemm_gflops(batch * 64, 32, 288));  // the first block's product
    bench.figures["/machine/memory_gb_per_s"].add(memory_gb_per_s());
    measure_parts(bench);
    for (const auto& training : trainings) bench.measure(training);
  }
  if (!program.empty()) measure_study(bench, program);

  Json result = {{"environment", environment(torch::kCPU, {})}, {"step_gflop", bench.step_flops / 1e9}};
  for (const auto& [place, series] : bench.figures) result[Json::json_pointer(place)] = series.json();
  return result;
}

}  // namespace

}  // namespace roclip::bench

int main(int argc, char** argv) {
  using namespace roclip::bench;
  return guarded([&] {
    if (prepare_blas()) ::execv("/proc/self/exe", argv);  // as in a worker
    at::set_num_threads(1);
    const auto rounds = argc > 1 ? std::stoll(argv[1]) : 7;
    std::cout << measure(rounds, argc > 2 ? argv[2] : "").dump(2) << "\n";
    return 0;
  });
}
