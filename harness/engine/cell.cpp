#include "harness/engine/cell.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <new>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/poisoned_pairs.h"
#include "harness/engine/examples.h"
#include "harness/model/clip.h"
#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/record/hash.h"
#include "harness/record/loaded_code.h"
#include "harness/record/metric_record.h"
#include "harness/train/checked_plugins.h"
#include "roclip/attack.h"

namespace roclip::bench {

namespace {

/// A cell whose defense asks for more than the matrix grants.
class Skipped : public Error {
 public:
  using Error::Error;
};

class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

std::unique_ptr<Defense> make_defense(const Registry& registry, const Json& config) {
  const auto id = plugin_of(config.at("defense"));
  return std::make_unique<CheckedDefense>(registry.make_defense(id, config.at("defense").at("params")), id);
}

/// From the clean captions, so that all attacks of a seed meet the same initial weights; words that only poisons have
/// take spare rows.
std::shared_ptr<const Vocabulary> vocabulary_of(const Dataset& data, const PoisonPlan& plan, const ModelParams& model) {
  std::vector<std::string> poisons;
  for (const auto& edit : plan.edits) poisons.push_back(edit.caption);
  return std::make_shared<const Vocabulary>(*data.train, model.vocabulary_min_count, poisons);
}

PluginRecord plugin_record(const Registry& registry, PluginKind kind, const Json& choice) {
  const auto& info = find_plugin(registry, kind, choice);
  return {info.file.filename(), plugin_hash(info)};
}

TrainingRecord training_record(const TrainReport& report, const TrainingKeys& keys, TrainableClip& model) {
  TrainingRecord record{.key = keys.own,
                        .trained_by = report.stages.front().trained_by,
                        .resumed = report.resumed,
                        .steps = report.steps(),
                        .parameters = parameter_count(model),
                        .weights_hash = model.weights_hash()};
  for (const auto& s : report.stages) {
    record.stages.push_back({s.name, s.steps, s.pairs, s.wall_s, s.trained_by});
    record.pairs_seen += s.pairs;
  }
  for (const auto& e : report.epochs) {
    record.epochs.push_back({e.stage, e.epoch, e.loss, e.logit_scale, e.wall_s, e.watched});
  }
  return record;
}

Json to_json(const Stage& stage) {
  return {{"name", stage.name},
          {"epochs", stage.epochs},
          {"batch_size", stage.batch_size},
          {"learning_rate", stage.learning_rate},
          {"warmup_share", stage.warmup_share},
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

}  // namespace

std::string_view to_string(Capability capability) {
  return capability == Capability::kCleanSubset ? "clean_subset" : "poisoned_pairs";
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
  return load_data(config.at("data"), config.at("model").at("image_px"), progress);
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
  return keys;
}

std::map<std::string, std::string> plugin_builds(const Json& config, const Registry& registry) {
  std::map<std::string, std::string> builds;
  const auto add = [&](PluginKind kind, const Json& choice) {
    builds[plugin_of(choice)] = plugin_hash(find_plugin(registry, kind, choice));
  };
  add(PluginKind::kAttack, config.at("attack"));
  add(PluginKind::kDefense, config.at("defense"));
  for (const auto& metric : config.at("metrics")) add(PluginKind::kMetric, metric);
  return builds;
}

CellRecord run_cell(const Cell& cell, const CellSurroundings& around, TrainHooks hooks) {
  const Json& config = cell.config;
  const Registry& registry = around.registry;
  const auto seed = static_cast<std::uint64_t>(cell.seed);
  Stopwatch total, watch;
  std::map<std::string, double> phases;

  const LoadedData data = open_data(config, [](auto...) {});
  phases["data"] = watch.lap();

  const auto ready = ready_attack(config, data, registry, around.out, around.device);
  phases["prepare"] = watch.lap();
  const Attack& attack = *ready.attack;
  const StoredPlan poison = poison_plan(config, data, registry, ready, around.out);
  store_manifest(poison, around.out);
  const PoisonPlan& plan = poison.plan;
  const PoisonedPairs pairs(data, plan, attack, ready.artifact.tensors, stream(seed, kPlaceOfPoisons));
  const auto evaluation_seed = stream(seed, role::kEvaluation);
  const Examples examples(plan, data, attack, evaluation_seed);
  examples.store(around.out.examples_file(poison.name), pairs);
  phases["poison"] = watch.lap();

  const auto model_config = read_params<ModelParams>(config.at("model"), "model");
  const auto vocabulary = vocabulary_of(data, plan, model_config);
  const auto model = make_clip(model_config, vocabulary, stream(seed, role::kInit), around.device);
  const auto defense = make_defense(registry, config);
  const auto clean_subset = granted_subset(*defense, pairs);
  phases["model"] = watch.lap();

  const auto keys = training_keys(config, data.hash, registry, around.device);
  CheckpointStore own(around.out.checkpoint_folder(keys.own), around.checkpoint);
  CheckpointStore shared(around.out.checkpoint_folder(keys.shared), around.checkpoint);
  hooks.checkpoints = &own;
  if (!keys.shared.empty()) hooks.shared_checkpoints = &shared;
  hooks.owner = cell.id;
  Trainer trainer(
      *model, *defense, read_params<TrainingParams>(config.at("training"), "training"),
      {.pairs = pairs, .clean_subset = clean_subset, .vocabulary = vocabulary->known_words(), .seed = seed});
  const SimilarityWatch watch_similarity(pairs, evaluation_seed);
  hooks.at_epoch_end = [&] { return watch_similarity(*model); };
  const auto report = trainer.run(hooks);
  for (const auto& [phase, wall_s] : report.phase_s) phases["train." + phase] = wall_s;
  const double here_s = watch.lap();
  double trained_s = 0, own_s = 0;  // what another cell trained is that cell's cost
  for (const auto& stage : report.stages) {
    trained_s += stage.wall_s;
    if (stage.trained_by == cell.id) own_s += stage.wall_s;
  }
  phases["train"] = trained_s;
  const double earlier_s = std::max(0.0, own_s - here_s);  // what stopped workers of this cell had done

  auto goal = plan.goal;
  if (auto* targeted = std::get_if<TargetImagesGoal>(&goal)) {
    std::ranges::sort(targeted->targets, {}, &TargetImage::held_out);
  }
  const auto poisoned = pairs.poisoned();
  const auto suspicion = defense->suspicion();
  const EvalInputs inputs{
      .data = data,
      .goal = goal,
      .apply_trigger = [&](const auto& images, auto draws) { return attack.apply_trigger(images, draws); },
      .apply_text_trigger = [&](auto captions, auto draws) { return attack.apply_text_trigger(captions, draws); },
      .poisoned = poisoned,
      .suspicion = suspicion,
      .seed = evaluation_seed};
  CellRecord record = cell_record(cell, Status::kOk, "");
  for (const auto& choice : config.at("metrics")) {
    const auto id = plugin_of(choice);
    const auto metric = registry.make_metric(id, choice.at("params"));
    record.metrics[id] = metric_record(evaluate_checked(*metric, id, *model, inputs), *metric);
    record.plugins[id] = plugin_record(registry, PluginKind::kMetric, choice);
    phases["evaluate." + id] = watch.lap();
  }
  record.examples = examples.predictions(*model);
  phases["examples"] = watch.lap();
  record.plugins[plugin_of(config.at("attack"))] = plugin_record(registry, PluginKind::kAttack, config.at("attack"));
  record.plugins[plugin_of(config.at("defense"))] = plugin_record(registry, PluginKind::kDefense, config.at("defense"));

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
  const double worker_s = total.lap();
  record.cost = {.wall_s = earlier_s + worker_s,
                 .worker_s = worker_s,
                 .cpu_s = cpu_time_s(),
                 .peak_memory_mib = peak_memory_mib(),
                 .phase_s = std::move(phases)};
  return record;
}

std::optional<CellRecord> run_cell_recorded(const Cell& cell, const CellSurroundings& around,
                                            TrainHooks hooks) noexcept {
  const auto failure = [&](Status status, const std::string& reason) { return cell_record(cell, status, reason); };
  const auto run = [&]() -> std::optional<CellRecord> {
    try {
      return run_cell(cell, around, std::move(hooks));
    } catch (const Interrupted&) {
      return std::nullopt;
    } catch (const Skipped& e) {
      return failure(Status::kSkipped, e.what());
    } catch (const Diverged& e) {
      return failure(Status::kDiverged, e.what());
    } catch (const std::bad_alloc&) {
      return failure(Status::kOutOfMemory, "out of memory: an allocation failed at the limit of " +
                                               std::to_string(std::llround(cell.limits.memory_mib)) +
                                               " MiB (limits/memory_mib)");
    } catch (const c10::Error& e) {
      const std::string message = e.what_without_backtrace();
      return failure(is_out_of_memory(message) ? Status::kOutOfMemory : Status::kFailed, message);
    } catch (const ContractViolation& e) {
      return failure(Status::kFailed, std::string(e.what()) + (e.fix().empty() ? "" : "; to fix: ") + e.fix() +
                                          "; `roclip-bench plugin test` may find more mistakes");
    } catch (const std::exception& e) {
      return failure(Status::kFailed, e.what());
    } catch (...) {
      return failure(Status::kFailed, "a plugin threw something that is not a std::exception");
    }
  };
  auto record = run();
  if (!record) return record;
  record->environment = environment(around.device, around.command_line);
  record->code = loaded_code();
  return record;
}

}  // namespace roclip::bench
