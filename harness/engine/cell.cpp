#include "harness/engine/cell.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <new>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include "harness/data/data.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/engine/examples.h"
#include "harness/model/clip.h"
#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/record/hash.h"
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

std::shared_ptr<const Vocabulary> vocabulary_of(const Dataset& data, const ModelParams& model) {
  // From the clean captions, so that all attacks of a seed meet the same initial weights.
  return std::make_shared<const Vocabulary>(data.train.captions, model.vocabulary_min_count);
}

Json plugin_record(const Registry& registry, PluginKind kind, const Json& choice) {
  const auto& info = find_plugin(registry, kind, choice);
  return {{"id", info.id()}, {"file", info.file.filename()}, {"file_hash", plugin_hash(info)}};
}

Json training_record(const TrainReport& report, const std::string& key, TrainableClip& model) {
  Json epochs = Json::array();
  for (const auto& e : report.epochs) {
    epochs.push_back({{"epoch", e.epoch}, {"loss", e.loss}, {"logit_scale", e.logit_scale}, {"wall_s", e.wall_s}});
    epochs.back().update(Json(e.watched));
  }
  return {{"key", key},
          {"trained_by", report.trained_by},
          {"resumed", report.resumed},
          {"epochs", std::move(epochs)},
          {"steps", report.steps},
          {"pairs_seen", report.pairs},
          {"parameters", parameter_count(model)},
          {"weights_hash", model.weights_hash()}};
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

Dataset open_data(const Json& config, const Progress& progress) {
  return load_data(config.at("data"), config.at("model").at("image_px"), progress);
}

std::string training_key(const Json& config, const std::string& data_hash, const Registry& registry,
                         torch::Device device) {
  static const std::string program = hash_file("/proc/self/exe") + TORCH_VERSION;
  const auto shared = make_defense(registry, config)->training_name();
  const auto own = [&] {
    return Json{config.at("defense"), plugin_hash(find_plugin(registry, PluginKind::kDefense, config.at("defense")))};
  };
  const Json key = {{"program", program},
                    {"numerics", config.at("numerics")},
                    {"data", {config.at("data"), data_hash}},
                    {"model", config.at("model")},
                    {"training", config.at("training")},
                    {"attack", config.at("attack")},
                    {"attack_file", plugin_hash(find_plugin(registry, PluginKind::kAttack, config.at("attack")))},
                    {"defense", shared.empty() ? own() : Json(shared)},
                    {"seed", config.at("seed")},
                    {"device", device.is_cpu() ? "cpu" : "cuda"}};
  return hash_hex(key.dump()).substr(0, 16);
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

Json run_cell(const Cell& cell, const CellSurroundings& around, TrainHooks hooks) {
  const Json& config = cell.config;
  const Registry& registry = around.registry;
  const auto seed = static_cast<std::uint64_t>(cell.seed);
  Stopwatch total, watch;
  Json phases = Json::object();

  const Dataset data = open_data(config, [](auto...) {});
  phases["data"] = watch.lap();

  const auto attack = make_attack(registry, config);
  const StoredPlan poison = poison_plan(config, data, registry, around.out);
  store_manifest(poison, around.out);
  const PoisonPlan& plan = poison.plan;
  const PoisonedPairs pairs(data, plan, *attack, stream(seed, kPlaceOfPoisons));
  store_examples(around.out.examples_file(poison.name), plan, data, pairs, *attack);
  phases["poison"] = watch.lap();

  const auto model_config = read_params<ModelParams>(config.at("model"), "model");
  const auto vocabulary = vocabulary_of(data, model_config);
  const auto model = make_clip(model_config, vocabulary, stream(seed, role::kInit), around.device);
  const auto defense = make_defense(registry, config);
  if (defense->capability() != Capability::kPoisonedPairs) {
    throw Skipped(ErrorKind::kMatrix, "the defense needs " + std::string(to_string(defense->capability())) +
                                          ", which no data set of this version provides");
  }
  phases["model"] = watch.lap();

  const auto key = training_key(config, data.hash, registry, around.device);
  CheckpointStore checkpoints(around.out.checkpoint_folder(key), around.checkpoint);
  hooks.checkpoints = &checkpoints;
  hooks.owner = cell.id;
  Trainer trainer(*model, pairs, *defense, read_params<TrainingParams>(config.at("training"), "training"),
                  vocabulary->known_words(), seed);
  const SimilarityWatch watch_similarity(pairs, stream(seed, role::kEvaluation));
  hooks.at_epoch_end = [&] { return watch_similarity(*model); };
  const auto report = trainer.run(hooks);
  for (const auto& [phase, wall_s] : report.phase_s) phases["train." + phase] = wall_s;
  phases["train"] = report.wall_s;
  const double here_s = watch.lap();
  // What stopped workers of this cell had done; what another cell trained is that cell's cost.
  const double earlier_s = report.trained_by == cell.id ? std::max(0.0, report.wall_s - here_s) : 0;
  trainer.repair();
  phases["repair"] = watch.lap();

  auto targets = plan.targets;
  std::ranges::sort(targets, {}, &TargetImage::held_out);
  const EvalInputs inputs{.data = data,
                          .targets = targets,
                          .target_class = plan.target_class,
                          .apply_trigger = [&](const torch::Tensor& images) { return attack->apply_trigger(images); },
                          .seed = stream(seed, role::kEvaluation)};
  Json metrics = Json::object(), plugins = Json::object();
  for (const auto& choice : config.at("metrics")) {
    const auto id = plugin_of(choice);
    const auto metric = registry.make_metric(id, choice.at("params"));
    metrics[id] = to_json(evaluate_checked(*metric, id, *model, inputs), metric->better());
    plugins[id] = plugin_record(registry, PluginKind::kMetric, choice);
    phases["evaluate." + id] = watch.lap();
  }
  Json examples = example_predictions(*model, plan, data, *attack);
  phases["examples"] = watch.lap();
  plugins[plugin_of(config.at("attack"))] = plugin_record(registry, PluginKind::kAttack, config.at("attack"));
  plugins[plugin_of(config.at("defense"))] = plugin_record(registry, PluginKind::kDefense, config.at("defense"));

  Json record = cell_record(cell, Status::kOk, "");
  record["capability"] = to_string(defense->capability());
  record["data_hash"] = data.hash;
  record["poison"] = {{"manifest", "manifests/" + poison.name + ".json"},
                      {"hash", poison.hash},
                      {"edits", plan.edits.size()},
                      {"share", static_cast<double>(plan.edits.size()) / static_cast<double>(pairs.size())}};
  record["training"] = training_record(report, key, *model);
  record["metrics"] = std::move(metrics);
  record["examples"] = std::move(examples);
  record["plugins"] = std::move(plugins);
  const double worker_s = total.lap();
  record["cost"] = {{"wall_s", earlier_s + worker_s},
                    {"worker_s", worker_s},
                    {"cpu_s", cpu_time_s()},
                    {"peak_memory_mib", peak_memory_mib()},
                    {"phase_s", std::move(phases)}};
  return record;
}

Json run_cell_recorded(const Cell& cell, const CellSurroundings& around, TrainHooks hooks) noexcept {
  const auto failure = [&](Status status, const std::string& reason) { return cell_record(cell, status, reason); };
  const auto run = [&]() -> Json {
    try {
      return run_cell(cell, around, std::move(hooks));
    } catch (const Interrupted&) {
      return nullptr;
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
                                          "; `roclip-bench plugin test` looks for more");
    } catch (const std::exception& e) {
      return failure(Status::kFailed, e.what());
    } catch (...) {
      return failure(Status::kFailed, "a plugin threw something that is not a std::exception");
    }
  };
  Json record = run();
  if (record.is_null()) return record;
  record["environment"] = environment(around.device, around.command_line);
  return record;
}

}  // namespace roclip::bench
