#include "harness/run/cell.h"

#include <chrono>
#include <new>
#include <set>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/clip/clip.h"
#include "harness/data/data.h"
#include "harness/data/poisoned_pairs.h"
#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/record/hash.h"
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

template <class Params>
Params read_params(const Json& json, const std::string& where) {
  Params params;
  ParamList list;
  params.declare(list);
  list.assign(json, where);
  return params;
}

Dataset open_data(const Json& config, const Progress& progress) {
  return load_data(config.at("data"), config.at("model").at("image_px"), progress);
}

PoisonPlan checked_plan(const Attack& attack, const Dataset& data, std::uint64_t seed) {
  const AttackView view{data.train, data.held_out, data.classes};
  PoisonPlan plan = attack.plan(view, stream(seed, role::kPoison));
  check_plan(plan, view);
  return plan;
}

std::shared_ptr<const Vocabulary> vocabulary_of(const Dataset& data, const ModelParams& model) {
  // From the clean captions, so that all attacks of a seed meet the same initial weights.
  return std::make_shared<const Vocabulary>(data.train.captions, model.vocabulary_min_count);
}

Json plugin_record(const Registry& registry, PluginKind kind, const Json& choice) {
  const auto& info = registry.find(kind, choice.at("plugin").get<std::string>(), std::string(to_string(kind)));
  return {{"id", info.id()}, {"file", info.file.filename()}, {"file_hash", hash_file(info.file)}};
}

Json training_record(const TrainReport& report, TrainableClip& model) {
  Json epochs = Json::array();
  for (const auto& e : report.epochs) {
    epochs.push_back({{"epoch", e.epoch}, {"loss", e.loss}, {"logit_scale", e.logit_scale}, {"wall_s", e.wall_s}});
  }
  return {{"epochs", std::move(epochs)},
          {"steps", report.steps},
          {"pairs_seen", report.pairs},
          {"parameters", parameter_count(model)},
          {"weights_hash", model.weights_hash()}};
}

std::string_view to_string(Capability capability) {
  return capability == Capability::kCleanSubset ? "clean_subset" : "poisoned_pairs";
}

}  // namespace

torch::Device parse_device(const std::string& text) {
  const auto gpus = static_cast<std::int64_t>(torch::cuda::device_count());
  if (text == "auto") return gpus > 0 ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
  if (text == "cpu") return torch::kCPU;
  const bool indexed = text.rfind("cuda:", 0) == 0 && text.size() > 5 &&
                       text.find_first_not_of("0123456789", 5) == std::string::npos && text.size() < 9;
  if (text != "cuda" && !indexed) {
    throw Error(ErrorKind::kUsage, "--device: expected auto, cpu, cuda or cuda:<index>, got \"" + text + "\"");
  }
  const std::int64_t index = indexed ? std::stoll(text.substr(5)) : 0;
  if (index >= gpus) {
    throw Error(ErrorKind::kUsage, "--device " + text + ": this LibTorch sees " + std::to_string(gpus) +
                                       " GPUs; use --device cpu, or a LibTorch built for CUDA");
  }
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
}

Json run_cell(const Cell& cell, const Registry& registry, torch::Device device, const OutputFolder& out,
              const std::function<void(const TrainProgress&)>& listener) {
  at::set_num_threads(1);
  const Json& config = cell.config;
  const auto seed = static_cast<std::uint64_t>(cell.seed);
  const Json &attack_choice = config.at("attack"), &defense_choice = config.at("defense");
  Stopwatch total, watch;
  Json phases = Json::object();

  const Dataset data = open_data(config, [](auto...) {});
  phases["data"] = watch.lap();

  const auto attack = registry.make_attack(attack_choice.at("plugin").get<std::string>(), attack_choice.at("params"));
  const PoisonPlan plan = checked_plan(*attack, data, seed);
  const Json edits = manifest(plan);
  const std::string manifest_hash = hash_hex(edits.dump());
  if (!std::filesystem::exists(out.manifest_file(manifest_hash))) write_json(out.manifest_file(manifest_hash), edits);
  const PoisonedPairs pairs(data, plan, *attack, stream(seed, "place of poisons"));
  phases["poison"] = watch.lap();

  const auto model_config = read_params<ModelParams>(config.at("model"), "model");
  const auto vocabulary = vocabulary_of(data, model_config);
  const auto model = make_clip(model_config, vocabulary, stream(seed, role::kInit), device);
  const auto defense =
      registry.make_defense(defense_choice.at("plugin").get<std::string>(), defense_choice.at("params"));
  if (defense->capability() != Capability::kPoisonedPairs) {
    throw Skipped(ErrorKind::kMatrix, "the defense needs " + std::string(to_string(defense->capability())) +
                                          ", which no data set of this version provides");
  }
  phases["model"] = watch.lap();

  const auto report = train(*model, pairs, *defense, read_params<TrainingParams>(config.at("training"), "training"),
                            vocabulary->known_words(), seed, listener);
  phases["train"] = watch.lap();
  for (const auto& [phase, wall_s] : report.phase_s) phases["train." + phase] = wall_s;

  const EvalInputs inputs{.data = data,
                          .targets = plan.targets,
                          .target_class = plan.target_class,
                          .apply_trigger = [&](const torch::Tensor& images) { return attack->apply_trigger(images); },
                          .seed = stream(seed, role::kEvaluation)};
  Json metrics = Json::object(), plugins = Json::object();
  for (const auto& choice : config.at("metrics")) {
    const auto id = choice.at("plugin").get<std::string>();
    const auto metric = registry.make_metric(id, choice.at("params"));
    const torch::NoGradGuard no_grad;
    metrics[id] = to_json(metric->evaluate(*model, inputs), metric->better());
    plugins[id] = plugin_record(registry, PluginKind::kMetric, choice);
    phases["evaluate." + id] = watch.lap();
  }
  plugins[attack_choice.at("plugin").get<std::string>()] = plugin_record(registry, PluginKind::kAttack, attack_choice);
  plugins[defense_choice.at("plugin").get<std::string>()] =
      plugin_record(registry, PluginKind::kDefense, defense_choice);

  Json record = cell_record(cell, Status::kOk, "");
  record["capability"] = to_string(defense->capability());
  record["data_hash"] = data.hash;
  record["poison"] = {{"manifest", "manifests/" + manifest_hash + ".json"},
                      {"hash", manifest_hash},
                      {"edits", plan.edits.size()},
                      {"share", static_cast<double>(plan.edits.size()) / static_cast<double>(pairs.size())}};
  record["training"] = training_record(report, *model);
  record["metrics"] = std::move(metrics);
  record["plugins"] = std::move(plugins);
  record["environment"] = environment(device.str());
  record["cost"] = {{"wall_s", total.lap()},
                    {"cpu_s", cpu_time_s()},
                    {"peak_memory_mib", peak_memory_mib()},
                    {"phase_s", std::move(phases)}};
  write_json(out.cell_file(cell.id), record);
  return record;
}

Json run_cell_recorded(const Cell& cell, const Registry& registry, torch::Device device, const OutputFolder& out,
                       const std::function<void(const TrainProgress&)>& listener) noexcept {
  const auto failure = [&](Status status, const std::string& reason) {
    Json record = cell_record(cell, status, reason);
    try {
      record["environment"] = environment(device.str());
      write_json(out.cell_file(cell.id), record);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());  // the supervisor keeps the record that it is sent
    }
    return record;
  };
  try {
    return run_cell(cell, registry, device, out, listener);
  } catch (const Skipped& e) {
    return failure(Status::kSkipped, e.what());
  } catch (const Diverged& e) {
    return failure(Status::kDiverged, e.what());
  } catch (const std::bad_alloc&) {
    return failure(Status::kOutOfMemory, "out of memory");
  } catch (const c10::Error& e) {
    // LibTorch's message without its stack trace
    return failure(Status::kFailed, e.what_without_backtrace());
  } catch (const std::exception& e) {
    return failure(Status::kFailed, e.what());
  } catch (...) {
    return failure(Status::kFailed, "a plugin threw something that is not a std::exception");
  }
}

std::string check_attacks(const std::vector<Cell>& cells, const Matrix& matrix, const Registry& registry,
                          const std::function<void(std::string_view, std::int64_t, std::int64_t)>& progress) {
  std::set<std::string> planned;
  std::map<std::int64_t, Dataset> by_size;
  for (const auto& cell : cells) {
    const Json& attack = cell.config.at("attack");
    const std::int64_t image_px = cell.config.at("model").at("image_px");
    if (!planned.insert(attack.dump() + std::to_string(cell.seed) + " " + std::to_string(image_px)).second) continue;
    if (!by_size.contains(image_px)) by_size.emplace(image_px, open_data(cell.config, progress));
    try {
      const auto made = registry.make_attack(attack.at("plugin").get<std::string>(), attack.at("params"));
      checked_plan(*made, by_size.at(image_px), static_cast<std::uint64_t>(cell.seed));
    } catch (const Error& e) {
      throw Error(e.kind(), matrix.where("/attacks") + " (" + cell.attack + "): " + e.what());
    }
  }
  return by_size.empty() ? "" : by_size.begin()->second.hash;
}

}  // namespace roclip::bench
