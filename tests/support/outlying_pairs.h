/// Pairs of which a few do not look like the others of their caption.
#pragma once

#include <string>
#include <vector>

#include "support/toy_context.h"

namespace roclip {

/// 40 pairs of one caption whose images are about red, the last four about blue; and 20 of another caption, about
/// green.
struct OutlyingPairs {
  OutlyingPairs() : toy(model, tensor_pairs(images(), captions())) {
    context.stage = {.name = "retrain", .batch_size = 8};
  }

  static torch::Tensor images() {
    auto result = torch::zeros({60, 3, 4, 4}, torch::kUInt8);
    Rng rng(7);
    for (std::int64_t i = 0; i < 60; ++i) {
      for (std::int64_t c = 0; c < 3; ++c) result[i][c].fill_(20 + rng.below(20));
      result[i][i < 36 ? 0 : i < 40 ? 2 : 1].fill_(220);
    }
    return result;
  }
  static std::vector<std::string> captions() {
    std::vector<std::string> result(40, "east");
    result.resize(60, "north");
    return result;
  }

  FakeClip model{{{"east", {1, 0, 0}}, {"north", {0, 1, 0}}}};
  ToySurroundings toy;
  TrainContext& context = toy.context;
};

}  // namespace roclip
