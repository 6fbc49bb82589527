/// Perturb and Recover (2024, arXiv 2412.00727): the poisoned model is fine-tuned on clean pairs, and its embeddings
/// are pushed away from where the poisoned model had them, so that what the trigger was tied to is lost, while the CLIP
/// loss brings back what the pairs say.
#pragma once

#include "roclip/defense.h"

namespace roclip {

class ParDefense final : public Defense {
 public:
  struct Params {
    std::int64_t epochs = 40;
    std::int64_t batch_size = 0;
    double learning_rate = 4e-3;
    double warmup_share = 0.1;
    double push_weight = 0.5;
    double tau = 2.15;
    double noise_probability = 0.5;
    double noise_std = 0.2;
    double erasing_probability = 0.5;
    double erasing_min_area = 0.005;
    double erasing_max_area = 0.01;

    void declare(ParamList& list);
  };

  /// @throws Error(kMatrix) if the smallest area is above the largest
  explicit ParDefense(Params params);

  Capability capability() const override { return Capability::kCleanSubset; }
  /// Plain training, then "par".
  std::vector<Stage> stages(const Stage& training) const override;
  /// Embeds the clean pairs by the poisoned model. @throws Error(kMatrix) if they are fewer than a batch
  void before_stage(TrainContext& context) override;
  /// The clean subset, permuted.
  torch::Tensor choose_samples(TrainContext& context) override;
  /// Noise on some images, a grey square in some.
  torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext& context) override;
  torch::Tensor loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                     TrainContext& context) override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  Params params_;
  torch::Tensor images_, captions_;  ///< f32 [n, D], of the clean pairs, by the poisoned model
};

}  // namespace roclip
