#include "clip.h"

namespace roclip {

void ClipDefense::Params::declare(ParamList& list) {
  const char* source = "off in the baseline of BigML-CS-UCLA/RoCLIP (--cross_aug not given)";
  list.add("image_augmentation", image_augmentation, "crop, flip, jitter, grey and blur every image", source);
  list.add("text_augmentation", text_augmentation, "EDA on every caption", source);
  image.declare(list);
  text.declare(list);
}

std::vector<Stage> ClipDefense::stages(const Stage& training) const {
  Stage stage = training;
  stage.plain = !params_.image_augmentation && !params_.text_augmentation;
  return {stage};
}

torch::Tensor ClipDefense::augment_images(const torch::Tensor& pixels, TrainContext& context) {
  return params_.image_augmentation ? params_.image.apply(pixels, context.augmentation_rng) : pixels;
}

std::string ClipDefense::augment_caption(const std::string& caption, TrainContext& context) {
  return params_.text_augmentation ? params_.text.apply(caption, context.vocabulary, context.augmentation_rng)
                                   : caption;
}

}  // namespace roclip
