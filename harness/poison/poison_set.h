/// Poison sets: all that an attack does, as files that others can read. results/schema/poison.schema.json describes the
/// manifest, results/README.md the folder. The attack `replay` plays them back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "harness/record/progress.h"
#include "registry.h"
#include "roclip/attack.h"

namespace roclip::bench {

/// Writes a poison set. Equal arguments give equal bytes.
/// @param config of a cell: its data, attack, seed and image size
/// @param plan what `attack` planned for it
/// @throws Error(kData) if `folder` is there and not empty, or cannot be written; Error(kPlugin) if the trigger differs
/// between images of equal pixels
void write_poison_set(const std::filesystem::path& folder, const Json& config, const Dataset& data,
                      const PoisonPlan& plan, const Attack& attack);

/// A stored poison set, with the data that it poisons.
struct PoisonSet {
  std::filesystem::path folder;
  std::string attack_id;  ///< of the attack that planned it, "badnets/1"
  Json params;            ///< of that attack
  std::uint64_t seed = 0;
  Json entry;    ///< of a matrix file, to run it
  Dataset data;  ///< clean
  PoisonPlan plan;
  std::unique_ptr<Attack> attack;  ///< gives the stored triggered images
};

/// Reads a set and all its images and checks that it fits the data.
/// @param data effective configuration; null: what the manifest names
/// @throws Error(kData) if it is damaged, Error(kMatrix) if it was made for other data
PoisonSet open_poison_set(const std::filesystem::path& folder, const Json& data, const Registry& registry,
                          const Progress& progress);

}  // namespace roclip::bench
