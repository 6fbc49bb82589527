/// A defense's surroundings without a trainer.
#pragma once

#include <string>
#include <vector>

#include "roclip/defense.h"
#include "support/fake_clip.h"

namespace roclip {

/// Captions and black 4 px images.
inline Pairs toy_pairs(std::vector<std::string> captions) {
  const auto size = std::ssize(captions);
  return tensor_pairs(torch::zeros({size, 3, 4, 4}, torch::kByte), std::move(captions));
}

struct ToySurroundings {
  ToySurroundings(FakeClip& clip, std::vector<std::string> captions)
      : ToySurroundings(clip, toy_pairs(std::move(captions))) {}
  ToySurroundings(FakeClip& clip, Pairs of)
      : pairs(std::move(of)),
        context{.model = clip,
                .pairs = *pairs,
                .clean_subset = clean_subset,
                .poisoned = poisoned,
                .vocabulary = vocabulary,
                .rng = rng,
                .augmentation_rng = augmentation_rng,
                .order_rng = order_rng,
                .clock = clock,
                .stage = {.epochs = 6, .batch_size = 2}} {}

  Pairs pairs;
  std::vector<std::int64_t> clean_subset;
  std::vector<bool> poisoned;
  std::vector<std::string> vocabulary = {"zebra"};
  Rng rng{1}, augmentation_rng{2}, order_rng{3};
  PhaseClock clock;
  TrainContext context;
};

}  // namespace roclip
