/// What the attack of a cell plans: made once, stored, shared by the cells of its seed.
#pragma once

#include <memory>
#include <string>

#include "harness/record/result.h"
#include "registry.h"
#include "roclip/attack.h"

namespace roclip::bench {

/// The id of {"plugin": id, "params": {...}}.
std::string plugin_of(const Json& choice);
/// The plugin that it names. @throws Error(kPlugin), Error(kMatrix)
const PluginInfo& find_plugin(const Registry& registry, PluginKind kind, const Json& choice);
/// Hash of the library's file; read once in a process.
const std::string& plugin_hash(const PluginInfo& plugin);

/// The attack of a cell, held to its header, not ready yet. @throws Error
std::unique_ptr<Attack> make_attack(const Registry& registry, const Json& config);

/// What prepare() of an attack made, and where it is stored.
struct StoredArtifact {
  Artifact tensors;
  std::string name;  ///< OutputFolder::artifact_file(name); "" for an attack that prepares nothing
  std::string hash;  ///< of the file
};

/// An attack that has adopted its artifact: it may plan and stamp.
struct ReadyAttack {
  std::unique_ptr<Attack> attack;
  StoredArtifact artifact;
};

/// Reads the artifact of a cell's attack if it is stored; else prepares and stores it, while other cells that want the
/// same wait. @throws Error(kPlugin), Error(kData), and whatever the attack throws
ReadyAttack ready_attack(const Json& config, const Dataset& data, const Registry& registry, const OutputFolder& out,
                         torch::Device device);
/// Whether ready_attack() would have to prepare an artifact, which may take as long as a training.
bool must_prepare(const Json& config, const Dataset& data, const Registry& registry, const OutputFolder& out);

/// Lets the attack of a cell plan, and checks what it plans. @throws Error(kPlugin), Error(kMatrix), and whatever the
/// attack throws
PoisonPlan fresh_plan(const Json& config, const Dataset& data, const ReadyAttack& ready);

/// The poisons of (attack, seed), made once and stored as a manifest.
struct StoredPlan {
  PoisonPlan plan;
  std::string name;  ///< OutputFolder::manifest_file(name)
  std::string hash;  ///< of its content
};
/// Reads the manifest if a run before made it, else lets the attack plan, and checks what it plans.
/// @throws Error(kPlugin), Error(kMatrix), and whatever the attack throws
StoredPlan poison_plan(const Json& config, const Dataset& data, const Registry& registry, const ReadyAttack& ready,
                       const OutputFolder& out);
/// Writes the manifest if it is not there yet. @throws Error(kData)
void store_manifest(const StoredPlan& plan, const OutputFolder& out);

}  // namespace roclip::bench
