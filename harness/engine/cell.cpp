#include "harness/engine/cell.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <new>
#include <numeric>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/poisoned_pairs.h"
#include "harness/engine/examples.h"
#include "harness/model/clip.h"
#include "harness/model/vocabulary.h"
#include "harness/model/weights.h"
#include "harness/record/cell_record.h"
#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/record/torch_compat.h"
#include "harness/train/checked_plugins.h"
#include "roclip/attack.h"

namespace roclip::bench {

namespace {

std::unique_ptr<Defense> make_defense(const Registry& registry, const Json& config) {
  const auto id = plugin_of(config.at("defense"));
  return std::make_unique<CheckedDefense>(registry.make_defense(id, config.at("defense").at("params")), id);
}

/// From the clean captions, so that all attacks of a seed meet the same initial weights; words that only poisons have
/// take spare rows.
std::shared_ptr<const Vocabulary> vocabulary_of(const Dataset& data, const PoisonPlan& plan,
                                                const TokenizerSpec& spec) {
  std::vector<std::string> poisons;
  for (const auto& edit : plan.edits) poisons.push_back(edit.caption);
  return std::make_shared<const Vocabulary>(*data.train, spec.min_count, poisons);
}

/// The attack, the defense and the metrics.
std::vector<const PluginInfo*> plugins_of(const Json& config, const Registry& registry) {
  std::vector<const PluginInfo*> plugins = {&find_plugin(registry, PluginKind::kAttack, config.at("attack")),
                                            &find_plugin(registry, PluginKind::kDefense, config.at("defense"))};
  for (const auto& metric : config.at("metrics")) {
    plugins.push_back(&find_plugin(registry, PluginKind::kMetric, metric));
  }
  return plugins;
}

TrainingRecord training_record(const TrainReport& report, const TrainingKeys& keys, TrainableClip& model) {
  TrainingRecord record{.key = keys.own,
                        .trained_by = report.stages.front().trained_by,
                        .resumed = report.resumed,
                        .steps = report.steps(),
                        .parameters = parameter_count(model),
                        .weights_hash = model.weights_hash(),
                        .epochs = report.epochs,
                        .stages = report.stages};
  for (const auto& stage : report.stages) record.pairs_seen += stage.pairs_seen;
  return record;
}

Json to_json(const Stage& stage) {
  return {{"name", stage.name},
          {"epochs", stage.epochs},
          {"batch_size", stage.batch_size},
          {"learning_rate", stage.learning_rate},
          {"warmup_share", stage.warmup_share},
          {"epochs_ahead", stage.epochs_ahead},
          {"weights", stage.weights == Stage::Weights::kReset ? "reset" : "keep"},
          {"plain", stage.plain}};
}

std::vector<std::int64_t> granted_subset(const Defense& defense, const PoisonedPairs& pairs) {
  if (defense.capability() != Capability::kCleanSubset) return {};
  if (!pairs.clean_subset().empty()) return pairs.clean_subset();
  throw Skipped(ErrorKind::kMatrix,
                "the defense needs a clean subset of the training pairs, and \"data\" grants none; set \"clean_share\" "
                "there, such as 0.05");
}

/// What a defense may trust that inspects inputs. @return u8 [R, 3, H, W]
torch::Tensor trusted_images(const LabelledImages& probe, std::uint64_t seed) {
  constexpr std::int64_t kReferences = 100;
  if (probe.size() == 0) return torch::empty({0, 3, 0, 0}, torch::kByte);
  Rng rng(stream(seed, "trusted images"));
  const auto chosen = rng.sample(probe.size(), std::min(kReferences, probe.size()));
  return probe.pairs->images(torch::tensor(chosen, torch::kLong));
}

}  // namespace

std::string_view to_string(Capability capability) {
  switch (capability) {
    case Capability::kPoisonedPairs:
      return "poisoned_pairs";
    case Capability::kCleanSubset:
      return "clean_subset";
    case Capability::kKnowsPoisons:
      return "knows_poisons";
  }
  return "";
}

std::vector<torch::Device> parse_devices(const std::string& text) {
  const auto gpus = static_cast<std::int64_t>(torch::cuda::device_count());
  const auto gpu = [](std::int64_t index) { return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index)); };
  if (text == "cpu" || (text == "auto" && gpus == 0)) return {torch::kCPU};
  const bool indexed = text.rfind("cuda:", 0) == 0 && text.size() > 5 &&
                       text.find_first_not_of("0123456789", 5) == std::string::npos && text.size() < 9;
  if (text != "auto" && text != "cuda" && !indexed) {
    throw Error(ErrorKind::kUsage, "--device: expected auto, cpu, cuda or cuda:<index>, got \"" + text + "\"");
  }
  if (indexed ? std::stoll(text.substr(5)) >= gpus : gpus == 0) {
    throw Error(ErrorKind::kUsage, "--device " + text + ": this LibTorch sees " + std::to_string(gpus) +
                                       " GPUs; use --device cpu, or a LibTorch built for CUDA");
  }
  if (indexed) return {gpu(std::stoll(text.substr(5)))};
  std::vector<torch::Device> devices;
  for (std::int64_t i = 0; i < gpus; ++i) devices.push_back(gpu(i));
  return devices;
}

LoadedData open_data(const Json& config, const Progress& progress) {
  return load_data(config.at("data"), image_px_of(config.at("model")), progress);
}

TrainingKeys training_keys(const Json& config, const std::string& data_hash, const Registry& registry,
                           torch::Device device) {
  const auto defense = make_defense(registry, config);
  const auto stages = defense->stages(read_params<TrainingParams>(config.at("training"), "training").stage());
  const auto& attack = find_plugin(registry, PluginKind::kAttack, config.at("attack"));
  Json key = {{"code", loaded_code()},
              {"numerics", config.at("numerics")},
              {"data", data_hash},
              {"model", config.at("model")},
              {"training", config.at("training")},
              {"attack", config.at("attack")},
              {"attack_file", plugin_hash(attack)},
              {"seed", config.at("seed")},
              {"start_from", start_hash(config)},
              {"device", device.is_cpu() ? "cpu" : "cuda"}};
  if (make_attack(registry, config)->knows_defense()) key["known_defense"] = config.at("defense");
  const auto hash = [&](const Json& of) { return hash_hex(of.dump()).substr(0, 16); };
  TrainingKeys keys;
  key["plain_stages"] = Json::array();
  for (std::size_t i = 0; i < plain_prefix(stages); ++i) key["plain_stages"].push_back(to_json(stages[i]));
  if (!key["plain_stages"].empty()) keys.shared = hash(key);
  key["defense"] = {config.at("defense"),
                    plugin_hash(find_plugin(registry, PluginKind::kDefense, config.at("defense")))};
  keys.own = plain_prefix(stages) == stages.size() ? keys.shared : hash(key);
  for (const auto& stage : stages) keys.epochs += stage.epochs;
  return keys;
}

std::map<std::string, std::string> plugin_builds(const Json& config, const Registry& registry) {
  std::map<std::string, std::string> builds;
  for (const auto* plugin : plugins_of(config, registry)) builds[plugin->id()] = plugin_hash(*plugin);
  return builds;
}

namespace {

/// Measures the metric on each set of "evaluate" as well, and the mean of its headline over all sets to which it
/// applies: "zero_shot@cifar10/1", "zero_shot@mean/1".
void evaluate_sets(const Metric& metric, const std::string& id, TrainableClip& model, const LoadedData& data,
                   const EvalInputs& attacked, std::map<std::string, MetricRecord>& records) {
  if (data.evaluate.empty()) return;
  const Goal no_goal = NoGoal{};
  std::vector<double> headlines;
  const auto count = [&](const MetricRecord& record) {
    if (const auto headline = record.quoted()) headlines.push_back(headline->value);
  };
  count(records.at(id));
  for (const auto& [name, set] : data.evaluate) {
    const EvalInputs inputs{.data = set,
                            .goal = no_goal,
                            .apply_trigger = attacked.apply_trigger,
                            .apply_text_trigger = attacked.apply_text_trigger,
                            .trained = attacked.trained,
                            .poisoned = attacked.poisoned,
                            .suspicion = attacked.suspicion,
                            .input_suspicion = attacked.input_suspicion,
                            .seed = attacked.seed};
    auto& record = records[metric_on_set(id, name)];
    record = metric_record(evaluate_checked(metric, id, model, inputs), metric);
    count(record);
  }
  if (headlines.empty()) return;
  const auto sum = std::accumulate(headlines.begin(), headlines.end(), 0.0);
  const auto* value = records.at(id).headline_value();
  const std::string unit = value == nullptr ? "1" : value->unit;
  MetricRecord mean{
      .measures = metric.measures(), .lower_is_better = metric.better() == Better::kLower, .headline = "mean"};
  mean.values.push_back({"mean", sum / static_cast<double>(headlines.size()), unit});
  mean.details = {{"sets", headlines.size()}};
  records[metric_on_set(id, "mean")] = mean;
}

/// @return the record with status "ok". @throws Error, Interrupted, and whatever a plugin throws
CellRecord run_to_end(const Cell& cell, const CellSurroundings& around, TrainHooks hooks) {
  const Json& config = cell.config;
  const Registry& registry = around.registry;
  const auto seed = static_cast<std::uint64_t>(cell.seed);
  const auto start = std::chrono::steady_clock::now();
  PhaseClock clock;

  const LoadedData data = open_data(config, [](auto...) {});
  clock.lap("data");

  const auto ready = ready_attack(config, data, registry, around.out, around.device);
  clock.lap("prepare");
  const Attack& attack = *ready.attack;
  const StoredPlan poison = poison_plan(config, data, registry, ready, around.out);
  if (around.ranks.is_first()) store_manifest(poison, around.out);
  const PoisonPlan& plan = poison.plan;
  const PoisonedPairs pairs(data, plan, attack, ready.artifact.tensors, stream(seed, kPlaceOfPoisons));
  const auto evaluation_seed = stream(seed, role::kEvaluation);
  const Examples examples(plan, data, attack, evaluation_seed);
  if (around.ranks.is_first()) examples.store(around.out.examples_file(poison.name), pairs);
  clock.lap("poison");

  const auto spec = model_spec(config.at("model"));
  const auto vocabulary = vocabulary_of(data, plan, spec.tokenizer);
  const auto model = make_clip(spec, make_tokenizer(spec.tokenizer, vocabulary, *data.train), stream(seed, role::kInit),
                               around.device);
  load_start(config, *model);
  const auto defense = make_defense(registry, config);
  const auto clean_subset = granted_subset(*defense, pairs);
  clock.lap("model");

  const auto keys = training_keys(config, data.hash, registry, around.device);
  CheckpointStore own(around.out.checkpoint_folder(keys.own), around.checkpoint);
  CheckpointStore shared(around.out.checkpoint_folder(keys.shared), around.checkpoint);
  hooks.checkpoints = &own;
  if (!keys.shared.empty()) hooks.shared_checkpoints = &shared;
  hooks.owner = cell.id;
  const auto poisoned = pairs.poisoned();
  const std::vector<bool> unknown;
  Trainer trainer(*model, *defense, read_params<TrainingParams>(config.at("training"), "training"),
                  {.pairs = pairs,
                   .clean_subset = clean_subset,
                   .poisoned = defense->capability() == Capability::kKnowsPoisons ? poisoned : unknown,
                   .vocabulary = vocabulary->known_words(),
                   .seed = seed,
                   .ranks = around.ranks});
  const SimilarityWatch watch_similarity(pairs, evaluation_seed);
  hooks.at_epoch_end = [&] { return watch_similarity(*model); };
  const auto report = trainer.run(hooks);
  clock.lap("train");
  if (!around.ranks.is_first()) return cell_record(cell, Status::kOk, "");
  std::optional<FileRecord> kept;
  if (around.keep_weights) {
    const auto file = around.out.weights_file(cell.id);
    std::filesystem::create_directories(file.parent_path());
    save_weights(file, *model, config.at("model"), {{"roclip_bench_cell", cell.id}});
    kept = {file.lexically_relative(around.out.root), hash_file(file)};
    clock.lap("weights");
  }
  double trained_s = 0, own_s = 0;  // what another cell trained is that cell's cost
  for (const auto& stage : report.stages) {
    trained_s += stage.wall_s;
    if (stage.trained_by == cell.id) own_s += stage.wall_s;
  }

  auto goal = plan.goal;
  if (auto* targeted = std::get_if<TargetImagesGoal>(&goal)) {
    std::ranges::sort(targeted->targets, {}, &TargetImage::held_out);
  }
  const auto suspicion = defense->suspicion();
  const auto references = to_pixels(trusted_images(data.probe, evaluation_seed), around.device);
  const Deployment deployment{
      .model = *model, .classes = data.classes, .references = references, .seed = evaluation_seed};
  const EvalInputs inputs{
      .data = data,
      .goal = goal,
      .apply_trigger = [&](const auto& images, auto draws) { return attack.apply_trigger(images, draws); },
      .apply_text_trigger = [&](auto captions, auto draws) { return attack.apply_text_trigger(captions, draws); },
      .trained = pairs,
      .poisoned = poisoned,
      .suspicion = suspicion,
      .input_suspicion =
          [&](const auto& images) { return defense->input_suspicion(to_pixels(images, around.device), deployment); },
      .seed = evaluation_seed};
  CellRecord record = cell_record(cell, Status::kOk, "");
  for (const auto& choice : config.at("metrics")) {
    const auto id = plugin_of(choice);
    const auto metric = registry.make_metric(id, choice.at("params"));
    record.metrics[id] = metric_record(evaluate_checked(*metric, id, *model, inputs), *metric);
    if (metric->transfers()) evaluate_sets(*metric, id, *model, data, inputs, record.metrics);
    clock.lap("evaluate." + id);
  }
  record.examples = examples.predictions(*model);
  clock.lap("examples");
  for (const auto* plugin : plugins_of(config, registry)) {
    record.plugins[plugin->id()] = {plugin->file.filename(), plugin_hash(*plugin)};
  }
  record.capability = to_string(defense->capability());
  record.attack_knows_defense = attack.knows_defense();
  record.data_hash = data.hash;
  record.data = data.record;
  record.poison = {.manifest = "manifests/" + poison.name + ".json",
                   .hash = poison.hash,
                   .goal = std::string(kind_of(plan.goal)),
                   .edits = std::ssize(plan.edits),
                   .removed = std::ssize(plan.removes),
                   .share = static_cast<double>(plan.edits.size()) / static_cast<double>(pairs.size())};
  if (!ready.artifact.name.empty()) {
    record.poison.artifact = {"artifacts/" + ready.artifact.name + ".safetensors", ready.artifact.hash};
  }
  record.training = training_record(report, keys, *model);
  record.training.weights = kept;
  const double worker_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  auto phases = clock.phases();
  const double earlier_s = std::max(0.0, own_s - phases["train"]);  // what stopped workers of this cell had done
  phases["train"] = trained_s;
  for (const auto& [phase, wall_s] : report.phase_s) phases["train." + phase] = wall_s;
  const auto memory = gpu_memory(around.device);
  record.cost = {.wall_s = earlier_s + worker_s,
                 .worker_s = worker_s,
                 .cpu_s = cpu_time_s(),
                 .peak_memory_mib = peak_memory_mib(),
                 .peak_gpu_memory_mib = memory ? std::optional(memory->peak) : std::nullopt,
                 .phase_s = std::move(phases)};
  return record;
}

}  // namespace

std::optional<CellRecord> run_cell(const Cell& cell, const CellSurroundings& around, TrainHooks hooks) noexcept {
  CellRecord record;
  const auto failed = [&](Status status, const std::string& reason) { record = cell_record(cell, status, reason); };
  try {
    record = run_to_end(cell, around, std::move(hooks));
  } catch (const Interrupted&) {
    return std::nullopt;
  } catch (const Skipped& e) {
    failed(Status::kSkipped, e.what());
  } catch (const RanksLost& e) {
    failed(Status::kCrashed, e.what());
  } catch (const Diverged& e) {
    failed(Status::kDiverged, e.what());
  } catch (const std::bad_alloc&) {
    failed(Status::kOutOfMemory, "out of memory: an allocation failed at the limit of " +
                                     std::to_string(std::llround(cell.limits.memory_mib)) + " MiB (limits/memory_mib)");
  } catch (const c10::Error& e) {
    const std::string message = e.what_without_backtrace();
    if (is_out_of_memory(message)) {
      failed(Status::kOutOfMemory,
             message + "; to need less, set in \"training\" a smaller \"batch_size\", \"micro_batch\", " +
                 "\"recompute_layers\": true or \"precision\": \"bf16\"");
    } else {
      failed(Status::kFailed, message);
    }
  } catch (const ContractViolation& e) {
    failed(Status::kFailed, std::string(e.what()) + (e.fix().empty() ? "" : "; to fix: ") + e.fix() +
                                "; `roclip-bench plugin test` may find more mistakes");
  } catch (const std::exception& e) {
    failed(Status::kFailed, e.what());
  } catch (...) {
    failed(Status::kFailed, "a plugin threw something that is not a std::exception");
  }
  record.environment = environment(around.device, around.command_line);
  record.environment["ranks"] = around.ranks.size();
  record.code = loaded_code();
  return record;
}

}  // namespace roclip::bench
