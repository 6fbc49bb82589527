/// A defense's surroundings without a trainer.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include <torch/serialize.h>

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

/// The first image is 0.9 red and 0.3 green, the second one 0.8 green.
inline Batch two_pairs(FakeClip& model) {
  auto pixels = torch::zeros({2, 3, 4, 4});
  pixels[0][0].fill_(0.9);
  pixels[0][1].fill_(0.3);
  pixels[1][1].fill_(0.8);
  const std::vector<std::string> captions = {"east", "east north"};
  return {torch::arange(2), pixels, captions, model.tokenize(captions)};
}

/// Of a defense that compares views: here they are the images and captions themselves.
template <typename Plugin>
typename Plugin::Params without_augmentation() {
  typename Plugin::Params params;
  params.image = {
      .crop_min_area = 1, .flip_probability = 0, .jitter_probability = 0, .grey_probability = 0, .blur_probability = 0};
  params.text.probability = 0;
  return params;
}

/// Saves `from` and loads it into `to`, as a cell that resumes does.
inline void copy_state(const Defense& from, Defense& to) {
  std::stringstream stream;
  torch::serialize::OutputArchive out;
  from.save(out);
  out.save_to(stream);
  torch::serialize::InputArchive in;
  in.load_from(stream);
  to.load(in);
}

}  // namespace roclip
