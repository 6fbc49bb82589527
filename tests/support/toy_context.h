/// A defense's surroundings without a trainer.
#pragma once

#include <string>
#include <vector>

#include "roclip/defense.h"
#include "support/fake_clip.h"

namespace roclip {

/// Captions and black 4 px images.
class ToyPairs final : public TrainingPairs {
 public:
  explicit ToyPairs(std::vector<std::string> captions) : captions_(std::move(captions)) {}
  std::int64_t size() const override { return std::ssize(captions_); }
  const std::string& caption(std::int64_t index) const override {
    return captions_.at(static_cast<std::size_t>(index));
  }
  torch::Tensor images(const torch::Tensor& indices) const override {
    return torch::zeros({indices.numel(), 3, 4, 4}, torch::kByte);
  }

 private:
  std::vector<std::string> captions_;
};

struct ToySurroundings {
  ToySurroundings(FakeClip& clip, std::vector<std::string> captions)
      : pairs(std::move(captions)),
        context{.model = clip,
                .pairs = pairs,
                .vocabulary = vocabulary,
                .rng = rng,
                .augmentation_rng = augmentation_rng,
                .order_rng = order_rng,
                .clock = clock,
                .epochs = 6,
                .batch_size = 2} {}

  ToyPairs pairs;
  std::vector<std::string> vocabulary = {"zebra"};
  Rng rng{1}, augmentation_rng{2}, order_rng{3};
  PhaseClock clock;
  TrainContext context;
};

}  // namespace roclip
