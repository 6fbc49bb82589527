/// Plays a stored poison set back: the poisons that another attack planned, here or elsewhere, with the same pixels.
/// `roclip-bench poison make` writes such sets; results/schema/poison.schema.json says what is in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>

#include "roclip/attack.h"
#include "stored_image.h"

namespace roclip {

/// By these names, and no others, the harness knows the attack that plays poison sets back.
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
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;
  /// Looks each text up. @throws Error(kData) for one of which the set has no triggered form
  std::vector<std::string> apply_text_trigger(std::span<const std::string> captions,
                                              std::span<const Draw> draws) const override;

 private:
  /// A clean image, by the hash of its pixels, and how it was stamped.
  struct Stamp {
    std::string clean_hash;
    Draw draw;
    bool operator<(const Stamp& other) const {
      return std::tie(clean_hash, draw.trigger, draw.test, draw.value) <
             std::tie(other.clean_hash, other.draw.trigger, other.draw.test, other.draw.value);
    }
  };
  void remember(const Stamp& stamp, const StoredImage& triggered);
  const StoredImage* find(const std::string& clean_hash, const Draw& draw) const;

  std::filesystem::path folder_;
  Json manifest_;
  std::map<Stamp, StoredImage> triggered_;
  std::map<std::pair<std::string, std::int64_t>, std::string> texts_;  ///< text and trigger -> triggered text
};

}  // namespace roclip
