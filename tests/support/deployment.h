/// Images of one colour, and a trained model that defenses inspect inputs of.
#pragma once

#include <vector>

#include <torch/types.h>

#include "roclip/defense.h"
#include "support/fake_clip.h"

namespace roclip {

/// f32 [n, 3, 2, 2], one colour each
inline torch::Tensor coloured(const std::vector<std::vector<float>>& colours) {
  std::vector<torch::Tensor> images;
  for (const auto& colour : colours) images.push_back(torch::tensor(colour).view({3, 1, 1}).expand({3, 2, 2}));
  return torch::stack(images);
}

/// It tells red from blue; the factor on cosines is 1.
struct ToyDeployment {
  FakeClip model{{{"red", {1, 0, 0}}, {"blue", {0, 0, 1}}}};
  std::vector<ClassInfo> classes = {{"red", {"red"}}, {"blue", {"blue"}}};
  torch::Tensor references;
  Deployment inputs{.model = model, .classes = classes, .references = references, .seed = 1};

  explicit ToyDeployment(torch::Tensor trusted) : references(std::move(trusted)) { model.scale = torch::ones({}); }
};

}  // namespace roclip
