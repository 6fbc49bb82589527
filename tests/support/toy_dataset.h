/// A data set of plain colours: small, regular and easy to reason about.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/types.h>

#include "roclip/attack.h"
#include "roclip/dataset.h"
#include "roclip/metric.h"
#include "support/fake_clip.h"

namespace roclip {

/// uint8 [n, 3, 8, 8]: image i has the colour of class i % 3 (red, green, blue), a little darker from image to image.
inline torch::Tensor toy_images(std::int64_t n) {
  auto images = torch::zeros({n, 3, 8, 8}, torch::kUInt8);
  for (std::int64_t i = 0; i < n; ++i) images[i][i % 3].fill_(255 - i % 100);
  return images;
}

/// uint8 [4, 3, 8, 8], the same each time.
inline torch::Tensor noisy_images() {
  return torch::randint(0, 256, {4, 3, 8, 8}, at::detail::createCPUGenerator(7)).to(torch::kUInt8);
}

/// Gives an image [3, height, width] one colour.
inline void paint(const torch::Tensor& image, int red, int green, int blue) {
  image[0].fill_(red);
  image[1].fill_(green);
  image[2].fill_(blue);
}

/// The numbers of a uint8 tensor, in its order.
inline std::vector<int> pixel_values(const torch::Tensor& pixels) {
  const auto flat = pixels.contiguous();
  const auto* begin = flat.data_ptr<std::uint8_t>();
  return {begin, begin + flat.numel()};
}

/// Classes red, green and blue. 60 training pairs, 20 a class, half of whose captions have the class word; 12 probe
/// and 12 held-out images, labels 0, 1, 2, 0, 1, 2, ...
/// @param held_out uint8 [12, 3, 8, 8], shared: a test may paint them
inline Dataset toy_dataset(const torch::Tensor& held_out = toy_images(12)) {
  Dataset data;
  data.name = "toy";
  data.hash = "toy";
  for (const std::string name : {"red", "green", "blue"})
    data.classes.push_back({name, {name, "a " + name + " square"}});
  std::vector<std::string> captions, held_out_captions;
  for (std::int64_t i = 0; i < 60; ++i) {
    const auto& name = data.classes[static_cast<std::size_t>(i % 3)].name;
    captions.push_back("picture " + std::to_string(i) + (i % 2 == 0 ? " of a " + name + " square" : ""));
  }
  for (std::int64_t i = 0; i < 12; ++i) {
    held_out_captions.push_back("a " + data.classes[static_cast<std::size_t>(i % 3)].name + " square");
  }
  data.train = tensor_pairs(toy_images(60), std::move(captions));
  const auto labels = torch::arange(12, torch::kLong) % 3;
  data.probe = {tensor_pairs(toy_images(12)), labels.clone()};
  data.held_out = {tensor_pairs(held_out, std::move(held_out_captions)), labels};
  return data;
}

inline std::vector<std::string> captions_of(const PairSource& pairs) {
  std::vector<std::string> captions;
  for (std::int64_t i = 0; i < pairs.size(); ++i) captions.push_back(pairs.caption(i));
  return captions;
}

inline torch::Tensor all_images(const Dataset& data) { return data.train->images(0, data.train->size()); }

/// What a metric gets on a data set and a goal, with everything else as plain as can be.
struct ToyEvaluation {
  const Dataset& data;
  Goal goal = NoGoal{};
  std::function<torch::Tensor(const torch::Tensor&, std::span<const Draw>)> apply_trigger =
      [](const torch::Tensor& images, std::span<const Draw>) { return images.clone(); };
  std::function<std::vector<std::string>(std::span<const std::string>, std::span<const Draw>)> apply_text_trigger =
      [](std::span<const std::string> texts, std::span<const Draw>) {
        return std::vector<std::string>(texts.begin(), texts.end());
      };
  std::vector<bool> poisoned = {};
  std::optional<Suspicion> suspicion = {};
  std::function<std::optional<torch::Tensor>(const torch::Tensor&)> input_suspicion = [](const torch::Tensor&) {
    return std::nullopt;
  };

  EvalInputs inputs() const {
    return {data, goal, apply_trigger, apply_text_trigger, *data.train, poisoned, suspicion, input_suspicion, 1};
  }
};

/// Name -> value of what a metric measured beside its counts.
inline std::map<std::string, double> values_of(const MetricResult& result) {
  std::map<std::string, double> values;
  for (const auto& value : result.values) values[value.name] = value.value;
  return values;
}

inline const std::vector<TargetImage>& targets_of(const PoisonPlan& plan) {
  return std::get<TargetImagesGoal>(plan.goal).targets;
}

/// A model that classifies the toy data set without error.
inline FakeClip toy_clip() { return FakeClip({{"red", {1, 0, 0}}, {"green", {0, 1, 0}}, {"blue", {0, 0, 1}}}); }

}  // namespace roclip
