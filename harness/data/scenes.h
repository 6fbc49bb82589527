/// Pairs that are drawn when they are asked for: one to three things of `emoji` on a ground, and what is to be seen in
/// words. README.md describes them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/dataset.h"
#include "roclip/rng.h"

namespace roclip::bench {

/// Drawings that can lie on any ground, in several sizes. Constant once made. [any thread]
///
/// A drawing is kept as it looks on white and as it looks on black. On a ground of value g a channel is then
/// black + (white - black) * g / 255: no mask is needed, and an area mean of both is right at every size.
struct Sprites {
  /// What a drawing shows, in the forms that captions need.
  struct Noun {
    std::string alone;              ///< "a red apple"
    std::string one, many;          ///< "apple", "apples": behind a colour or a number
    bool countable = false;         ///< has those; "eyes" and "the flag of Chad" have not
    std::int64_t label = kNoLabel;  ///< class
  };
  static constexpr std::int64_t kNoLabel = -1;

  std::vector<Noun> nouns;           ///< of each drawing
  std::vector<torch::Tensor> sizes;  ///< u8 [2 N, 3, px, px], white and black in turn, contiguous; ascending px
  std::vector<ClassInfo> classes;
};

/// @param meaning of an emoji, its label in Unicode CLDR: "red apple"
Sprites::Noun make_noun(const std::string& meaning, std::int64_t label);
/// Sides of the sprites that scenes of this size are made of, ascending: 3/8, 1/2, 5/8 and 3/4.
std::array<std::int64_t, 4> sprite_sides(std::int64_t image_px);

struct SceneOptions {
  std::int64_t pairs = 0;
  std::int64_t image_px = 32;  ///< a multiple of 8
  std::uint64_t seed = 1;
  double wrong_share = 0;            ///< of the captions: they name another thing than the first one
  double noise_share = 0;            ///< of the captions: they end in words that say nothing
  bool labelled = false;             ///< the first thing has a class, and all classes come as often
  std::int64_t first = 0, last = 0;  ///< drawings [first, last) of the sprites are used
};

/// Pair i depends on the sprites, the options but `pairs`, and i alone.
class Scenes final : public PairSource {
 public:
  /// @pre some drawing is used, and if `labelled`, some with a class
  Scenes(std::shared_ptr<const Sprites> sprites, const SceneOptions& options);

  std::int64_t size() const override { return options_.pairs; }
  std::int64_t image_px() const override { return options_.image_px; }
  std::string caption(std::int64_t index) const override;
  void read_image(std::int64_t index, std::uint8_t* to) const override;
  /// Class of the first thing; Sprites::kNoLabel if it has none.
  std::int64_t label(std::int64_t index) const;

 private:
  /// A kind of thing, `count` times.
  struct Thing {
    std::int64_t drawing = 0, colour = -1, count = 1, size = 0;
    std::array<std::array<std::int64_t, 2>, 4> places{};  ///< x and y of each, px
  };
  struct Scene {
    std::array<Thing, 3> things{};
    std::int64_t count = 1;                                ///< of things
    std::int64_t relation = 0;                             ///< of two things
    std::int64_t ground = 0;                               ///< kind of it
    std::array<std::array<std::uint8_t, 3>, 2> colours{};  ///< of the ground
    std::array<std::int64_t, 2> named{};                   ///< what they are called
    std::int64_t detail = 0;                               ///< of the ground: where the horizon is, how wide a stripe
    std::uint64_t words = 0;                               ///< seed of the caption
  };

  Scene scene(std::int64_t index) const;
  std::int64_t choose_drawing(Rng& rng, bool labelled) const;
  void place(Scene& scene, Rng& rng) const;
  std::string phrase(const Thing& thing, Rng& rng) const;
  void draw_ground(const Scene& scene, std::uint8_t* to) const;
  void draw(const Thing& thing, std::uint8_t* to) const;

  std::shared_ptr<const Sprites> sprites_;
  SceneOptions options_;
  std::uint64_t stream_;
  std::vector<std::int64_t> drawings_;               ///< that are used
  std::vector<std::vector<std::int64_t>> of_class_;  ///< of these, by class; only classes that have some
};

}  // namespace roclip::bench
