/// Poison sets: all that an attack does, as files that others can read. results/schema/poison.schema.json describes the
/// manifest, results/README.md the folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "harness/poison/stored_plan.h"
#include "harness/record/progress.h"
#include "registry.h"
#include "roclip/attack.h"

namespace roclip::bench {

/// Writes a poison set. Equal arguments give equal bytes.
/// @param config of a cell: its data, attack, seed and image size
/// @param plan what the attack planned for it
/// @throws Error(kData) if `folder` is there and not empty, or cannot be written; Error(kPlugin) for an attack whose
/// poisons cannot be stored
void write_poison_set(const std::filesystem::path& folder, const Json& config, const Dataset& data,
                      const PoisonPlan& plan, const ReadyAttack& ready);

/// A stored poison set, with the data that it poisons.
struct PoisonSet {
  std::filesystem::path folder;
  std::string attack_id;  ///< of the attack that planned it, "my_trigger/1"
  Json params;            ///< of that attack
  std::uint64_t seed = 0;
  Json entry;    ///< of a matrix file, to run it
  Dataset data;  ///< clean
  PoisonPlan plan;
  std::unique_ptr<Attack> attack;  ///< gives the stored triggered images

  /// A held-out image as a test of that trigger meets it. @return uint8 [3, px, px]
  torch::Tensor triggered(std::int64_t held_out, std::int64_t trigger) const;
};

/// Reads a set and all its images and checks that it fits the data, with the attack that plays sets back: the one whose
/// parameters are "folder" and "hash" and no others.
/// @param data effective configuration; null: what the manifest names
/// @throws Error(kPlugin) if there is no such attack, Error(kData) if it is damaged, Error(kMatrix) if it was made for
/// other data
PoisonSet open_poison_set(const std::filesystem::path& folder, const Json& data, const Registry& registry,
                          const Progress& progress);

}  // namespace roclip::bench
