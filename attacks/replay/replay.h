/// Plays a stored poison set back: the poisons that another attack planned, here or elsewhere, with the same pixels.
/// `roclip-bench poison make` writes such sets; results/schema/poison.schema.json says what is in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>

#include "roclip/attack.h"
#include "stored_image.h"

namespace roclip {

struct ReplayParams {
  std::string folder;
  std::string hash;

  void declare(ParamList& list);
};

/// Unlike other attacks it reads files, those of its folder: the manifest when it is made, the images when they are
/// asked for, so that a set may be larger than memory. Everything read is checked against a hash.
class Replay : public Attack {
 public:
  using Params = ReplayParams;
  /// @throws Error(kMatrix) if a parameter is missing or the manifest has another hash, Error(kData) if the folder is
  /// not a poison set
  explicit Replay(const Params& params);

  /// The stored plan, whatever the seed. Reads every image of the set once, so that a damaged set is found before a
  /// training. @throws Error(kMatrix) if the set was made for other data, Error(kData) if it is damaged
  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  /// Looks each image up by its pixels. @throws Error(kData) for an image of which the set has no triggered form
  torch::Tensor apply_trigger(const torch::Tensor& images) const override;

 private:
  void remember(const std::string& clean_hash, const StoredImage& triggered);

  std::filesystem::path folder_;
  Json manifest_;
  std::unordered_map<std::string, StoredImage> triggered_;  ///< by the hash of the clean image
};

}  // namespace roclip
