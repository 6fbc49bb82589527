#include "harness/poison/stored_plan.h"

#include <cstdio>
#include <filesystem>
#include <map>

#include "harness/data/poisoned_pairs.h"
#include "harness/record/files.h"
#include "harness/record/hash.h"
#include "harness/train/checked_plugins.h"
#include "roclip/rng.h"

namespace roclip::bench {

std::string plugin_of(const Json& choice) { return choice.at("plugin").get<std::string>(); }

const PluginInfo& find_plugin(const Registry& registry, PluginKind kind, const Json& choice) {
  return registry.find(kind, plugin_of(choice), std::string(to_string(kind)));
}

/// Hash of the library's file; read once in a process.
const std::string& plugin_hash(const PluginInfo& plugin) {
  static std::map<std::filesystem::path, std::string> known;
  auto& hash = known[plugin.file];
  if (hash.empty()) hash = hash_file(plugin.file);
  return hash;
}

std::unique_ptr<Attack> make_attack(const Registry& registry, const Json& config) {
  const auto id = plugin_of(config.at("attack"));
  return std::make_unique<CheckedAttack>(registry.make_attack(id, config.at("attack").at("params")), id);
}

PoisonPlan fresh_plan(const Json& config, const Dataset& data, const Registry& registry) {
  const AttackView view{data.train, data.held_out, data.classes};
  const auto seed = config.at("seed").get<std::uint64_t>();
  return make_attack(registry, config)->plan(view, stream(seed, role::kPoison));
}

StoredPlan poison_plan(const Json& config, const Dataset& data, const Registry& registry, const OutputFolder& out) {
  const Json& choice = config.at("attack");
  const auto& plugin = find_plugin(registry, PluginKind::kAttack, choice);
  const Json key = {choice, config.at("seed"), data.hash, config.at("model").at("image_px"), plugin_hash(plugin)};
  StoredPlan stored;
  stored.name = plugin.name() + "-s" + config.at("seed").dump() + "-" + hash_hex(key.dump()).substr(0, 10);
  const auto file = out.manifest_file(stored.name);
  if (std::filesystem::exists(file)) {
    try {
      const Json json = read_json(file);
      stored.plan = plan_from_manifest(json);
      stored.hash = hash_hex(json.dump());
      check_plan(stored.plan, {data.train, data.held_out, data.classes});
      return stored;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s: is damaged, planning again: %s\n", file.c_str(), e.what());
    }
  }
  stored.plan = fresh_plan(config, data, registry);
  stored.hash = hash_hex(manifest(stored.plan).dump());
  return stored;
}

void store_manifest(const StoredPlan& plan, const OutputFolder& out) {
  const auto file = out.manifest_file(plan.name);
  std::error_code error;
  if (std::filesystem::exists(file, error)) return;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error) {
    throw Error(ErrorKind::kData, file.parent_path().string() + ": cannot be made: " + error.message() +
                                      "; choose another folder with --out");
  }
  write_json(file, manifest(plan.plan));
}

}  // namespace roclip::bench
