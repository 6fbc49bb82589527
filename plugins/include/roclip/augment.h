/// Augmentation of image batches and captions, shared by every defense that wants it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/rng.h"

namespace roclip {

class ParamList;

/// Batched form of the chain in RoCLIP's utils/augment_image.py (flip, RandomResizedCrop, ColorJitter, grey, blur),
/// milder by default: images of 32 px do not survive crops of 8 % or a 21-tap blur.
struct ImageAugmentation {
  double crop_min_area = 0.7;     ///< RandomResizedCrop: share of the area kept at least, (0, 1]; 1 switches it off
  double flip_probability = 0.5;  ///< horizontal
  double jitter = 0.2;            ///< brightness, contrast, saturation factors in [1 - jitter, 1 + jitter]
  double hue = 0.02;              ///< rotation by up to this share of a turn, as in ColorJitter
  double jitter_probability = 0.8;
  double grey_probability = 0.05;
  double blur_probability = 0.2;
  double blur_sigma_max = 0.7;  ///< px

  void declare(ParamList& list);
  /// @param pixels f32 [B, 3, H, W], 0..1. @return a new batch, same shape, device and range.
  /// Each image has draws of its own; they are made on the CPU from `rng`, whatever the device.
  torch::Tensor apply(const torch::Tensor& pixels, Rng& rng) const;
};

/// Easy data augmentation of captions (Wei and Zou 2019, arXiv 1901.11196; RoCLIP's utils/eda.py): one of replacing,
/// inserting, swapping or deleting words, each on a share of the words. Fresh at every call, where the authors draw
/// once at start-up.
///
/// Without WordNet, the replacing and inserting words are drawn from `vocabulary`.
struct TextAugmentation {
  double probability = 0.5;  ///< share of captions changed
  double word_share = 0.1;   ///< share of words touched, at least one; alpha of EDA

  void declare(ParamList& list);
  std::string apply(const std::string& caption, const std::vector<std::string>& vocabulary, Rng& rng) const;
};

}  // namespace roclip
