#include "harness/poison/stored_plan.h"

#include <cstdio>
#include <filesystem>
#include <map>

#include <fcntl.h>
#include <sys/file.h>

#include "harness/data/poisoned_pairs.h"
#include "harness/model/clip.h"
#include "harness/model/safetensors.h"
#include "harness/model/vocabulary.h"
#include "harness/model/weights.h"
#include "harness/poison/draft_folder.h"
#include "harness/record/files.h"
#include "harness/record/signals.h"
#include "harness/train/checked_plugins.h"
#include "harness/train/trainer.h"
#include "roclip/rng.h"

namespace roclip::bench {

std::string plugin_of(const Json& choice) { return choice.at("plugin").get<std::string>(); }

const PluginInfo& find_plugin(const Registry& registry, PluginKind kind, const Json& choice) {
  return registry.find(kind, plugin_of(choice), std::string(to_string(kind)));
}

const std::string& plugin_hash(const PluginInfo& plugin) {
  static std::map<std::filesystem::path, std::string> known;
  auto& hash = known[plugin.file];
  if (hash.empty()) hash = hash_file(plugin.file);
  return hash;
}

namespace {

/// What the attacker knows decides whether cells may share its poisons.
const Json* known_defense(const Json& config, const Attack& attack) {
  return attack.knows_defense() ? &config.at("defense") : nullptr;
}

/// Trains surrogates with the model and the training of the matrix file.
class CellLab final : public Lab {
 public:
  CellLab(const Json& config, const Dataset& data, const Attack& attack, torch::Device device)
      : config_(config), data_(data), view_(view_of(data, known_defense(config, attack))), device_(device) {}

  const AttackView& view() const override { return view_; }
  std::uint64_t seed() const override { return stream(config_.at("seed").get<std::uint64_t>(), "lab"); }

  ClipModel& surrogate(std::int64_t epochs) override {
    if (model_) return *model_;
    const auto spec = model_spec(config_.at("model"));
    const auto vocabulary = std::make_shared<const Vocabulary>(*data_.train, spec.tokenizer.min_count);
    model_ =
        make_clip(spec, make_tokenizer(spec.tokenizer, vocabulary, *data_.train), stream(seed(), role::kInit), device_);
    load_start(config_, *model_);
    auto training = read_params<TrainingParams>(config_.at("training"), "training");
    training.epochs = epochs;
    Defense plain;
    Trainer(*model_, plain, training,
            {.pairs = *data_.train,
             .clean_subset = no_subset_,
             .poisoned = not_told_,
             .vocabulary = vocabulary->known_words(),
             .seed = seed()})
        .run({});
    return *model_;
  }

 private:
  const Json& config_;
  const Dataset& data_;
  AttackView view_;
  torch::Device device_;
  std::vector<std::int64_t> no_subset_;
  std::vector<bool> not_told_;
  std::unique_ptr<TrainableClip> model_;
};

/// The front of the names of what an attack makes, and the hash of all that decides it.
std::string name_for(const Json& config, const Dataset& data, const Registry& registry, const Attack& attack) {
  const auto& plugin = find_plugin(registry, PluginKind::kAttack, config.at("attack"));
  Json key = {config.at("attack"), config.at("seed"), data.hash, image_px_of(config.at("model")), plugin_hash(plugin)};
  if (const auto* defense = known_defense(config, attack)) key.push_back(*defense);
  if (attack.prepares()) {
    key.push_back({config.at("model"), config.at("training"), config.at("numerics"), start_hash(config)});
  }
  return plugin.name() + "-s" + config.at("seed").dump() + "-" + hash_hex(key.dump()).substr(0, 10);
}

}  // namespace

std::unique_ptr<Attack> make_attack(const Registry& registry, const Json& config) {
  const auto id = plugin_of(config.at("attack"));
  return std::make_unique<CheckedAttack>(registry.make_attack(id, config.at("attack").at("params")), id);
}

bool must_prepare(const Json& config, const Dataset& data, const Registry& registry, const OutputFolder& out) {
  const auto attack = make_attack(registry, config);
  return attack->prepares() && !std::filesystem::exists(out.artifact_file(name_for(config, data, registry, *attack)));
}

ReadyAttack ready_attack(const Json& config, const Dataset& data, const Registry& registry, const OutputFolder& out,
                         torch::Device device) {
  ReadyAttack ready{make_attack(registry, config), {}};
  if (!ready.attack->prepares()) return ready;
  auto& artifact = ready.artifact;
  artifact.name = name_for(config, data, registry, *ready.attack);
  const auto file = out.artifact_file(artifact.name);
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);  // what is wrong shows when the file is written
  const Descriptor lock(::open((file.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (lock) ::flock(lock.get(), LOCK_EX);  // of several cells that want it, one prepares
  if (!std::filesystem::exists(file)) {
    CellLab lab(config, data, *ready.attack, device);
    write_safetensors(file, ready.attack->prepare(lab));
  }
  artifact.tensors = read_safetensors(file);
  artifact.hash = hash_file(file);
  ready.attack->adopt(artifact.tensors);
  return ready;
}

PoisonPlan fresh_plan(const Json& config, const Dataset& data, const ReadyAttack& ready) {
  const auto seed = config.at("seed").get<std::uint64_t>();
  return ready.attack->plan(view_of(data, known_defense(config, *ready.attack)), stream(seed, role::kPoison));
}

StoredPlan poison_plan(const Json& config, const Dataset& data, const Registry& registry, const ReadyAttack& ready,
                       const OutputFolder& out) {
  StoredPlan stored;
  stored.name = name_for(config, data, registry, *ready.attack);
  const auto file = out.manifest_file(stored.name);
  if (std::filesystem::exists(file)) {
    try {
      const Json json = read_json(file);
      stored.plan = plan_from_manifest(json);
      stored.hash = hash_hex(json.dump());
      check_plan(stored.plan, view_of(data));
      return stored;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s: is damaged and is planned again: %s\n", file.c_str(), e.what());
    }
  }
  stored.plan = fresh_plan(config, data, ready);
  stored.hash = hash_hex(manifest(stored.plan).dump());
  return stored;
}

void store_manifest(const StoredPlan& plan, const OutputFolder& out) {
  const auto file = out.manifest_file(plan.name);
  std::error_code error;
  if (std::filesystem::exists(file, error)) return;
  make_folder(file.parent_path());
  write_json(file, manifest(plan.plan));
}

}  // namespace roclip::bench
