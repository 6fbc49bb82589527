/// CleanCLIP (Bansal et al., ICCV 2023, arXiv 2303.03323): the poisoned model is fine-tuned on a few clean pairs, with
/// the CLIP loss and with a contrastive loss inside of each modality, which pulls images to views of themselves and so
/// away from what a trigger tied them to.
#pragma once

#include "roclip/defense.h"

namespace roclip {

class CleanClipDefense final : public Defense {
 public:
  struct Params {
    std::int64_t epochs = 20;
    std::int64_t batch_size = 0;
    double learning_rate = 1e-3;
    double warmup_share = 0.1;
    double clip_weight = 1;
    double self_supervision_weight = 1;
    ImageAugmentation image;
    TextAugmentation text = {.probability = 1};

    void declare(ParamList& list);
  };

  explicit CleanClipDefense(Params params) : params_(std::move(params)) {}

  Capability capability() const override { return Capability::kCleanSubset; }
  /// Plain training, then "finetune".
  std::vector<Stage> stages(const Stage& training) const override;
  /// The clean subset, permuted. @throws Error(kMatrix) if it is smaller than a batch
  torch::Tensor choose_samples(TrainContext& context) override;
  torch::Tensor step(const Batch& batch, TrainContext& context) override;

 private:
  Params params_;
};

/// InfoNCE in one direction: the mean cross-entropy of row i of scale * a b^T against i.
/// @param a, b f32 [B, D], unit rows. @return f32 [], nats
torch::Tensor info_nce(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& logit_scale);

}  // namespace roclip
