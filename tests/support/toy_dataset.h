/// A data set of plain colours: small, regular and easy to reason about.
#pragma once

#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/attack.h"
#include "roclip/dataset.h"
#include "support/fake_clip.h"

namespace roclip {

/// uint8 [n, 3, 8, 8]: image i has the colour of class i % 3 (red, green, blue), a little darker from image to image.
inline torch::Tensor toy_images(std::int64_t n) {
  auto images = torch::zeros({n, 3, 8, 8}, torch::kUInt8);
  for (std::int64_t i = 0; i < n; ++i) images[i][i % 3].fill_(255 - i % 100);
  return images;
}

/// Classes red, green and blue. 60 training pairs, 20 a class, half of whose captions have the class word; 12 probe
/// and 12 held-out images, labels 0, 1, 2, 0, 1, 2, ...
inline Dataset toy_dataset() {
  Dataset data;
  data.name = "toy";
  data.hash = "toy";
  for (const std::string name : {"red", "green", "blue"})
    data.classes.push_back({name, {name, "a " + name + " square"}});
  data.train.images = toy_images(60);
  for (std::int64_t i = 0; i < 60; ++i) {
    const auto& name = data.classes[static_cast<std::size_t>(i % 3)].name;
    data.train.captions.push_back("picture " + std::to_string(i) + (i % 2 == 0 ? " of a " + name + " square" : ""));
  }
  for (auto* labelled : {&data.probe, &data.held_out}) {
    labelled->images = toy_images(12);
    labelled->labels = torch::arange(12, torch::kLong) % 3;
  }
  for (std::int64_t i = 0; i < 12; ++i) {
    data.held_out.captions.push_back("a " + data.classes[static_cast<std::size_t>(i % 3)].name + " square");
  }
  return data;
}

inline AttackView view_of(const Dataset& data) { return {data.train, data.held_out, data.classes}; }

/// A model that classifies the toy data set without error.
inline FakeClip toy_clip() { return FakeClip({{"red", {1, 0, 0}}, {"green", {0, 1, 0}}, {"blue", {0, 0, 1}}}); }

}  // namespace roclip
