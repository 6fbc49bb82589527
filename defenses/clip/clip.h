/// Plain CLIP: the baseline every defense is compared with.
#pragma once

#include "roclip/defense.h"

namespace roclip {

/// Overrides nothing but the augmentation switches, which are off as in the authors' baseline. With both on it is the
/// augmentation-only control: what RoCLIP's augmentation does without its matching.
class ClipDefense final : public Defense {
 public:
  struct Params {
    bool image_augmentation = false;
    bool text_augmentation = false;
    ImageAugmentation image;
    TextAugmentation text;

    void declare(ParamList& list);
  };

  explicit ClipDefense(Params params) : params_(std::move(params)) {}

  std::vector<Stage> stages(const Stage& training) const override;
  torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext& context) override;
  std::string augment_caption(const std::string& caption, TrainContext& context) override;

 private:
  Params params_;
};

}  // namespace roclip
