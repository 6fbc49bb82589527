#include "cleanclip.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void CleanClipDefense::Params::declare(ParamList& list) {
  list.add("epochs", epochs, Range{1, 100000}, "epochs", "passes over the clean subset",
           "ours: 10 in nishadsinghi/CleanCLIP, on 100,000 pairs; see the README");
  list.add("batch_size", batch_size, Range{0, 65536}, "pairs", "pairs a step of fine-tuning; 0 = as in training",
           "ours; 64 in nishadsinghi/CleanCLIP");
  list.add("learning_rate", learning_rate, Range{0, 1}, "1", "peak of fine-tuning, after its warm-up",
           "ours: steps times learning rate as published (15,625 x 1e-5); see the README");
  list.add("warmup_share", warmup_share, Range{0, 1}, "1", "share of fine-tuning with a rising learning rate",
           "ours; 50 of 15,625 steps in nishadsinghi/CleanCLIP");
  list.add("clip_weight", clip_weight, Range{0, 1e6}, "1", "of the CLIP loss; lambda 1",
           "Bansal et al. 2023; --clip_weight of nishadsinghi/CleanCLIP");
  list.add("self_supervision_weight", self_supervision_weight, Range{0, 1e6}, "1",
           "of the loss inside of each modality; lambda 2; 0 = fine-tuning on clean pairs alone",
           "Bansal et al. 2023; --inmodal_weight of nishadsinghi/CleanCLIP");
  image.declare(list);
  text.declare(list);
}

std::vector<Stage> CleanClipDefense::stages(const Stage& training) const {
  Stage poisoned = training;
  poisoned.plain = true;
  return {poisoned,
          {.name = "finetune",
           .epochs = params_.epochs,
           .batch_size = params_.batch_size > 0 ? params_.batch_size : training.batch_size,
           .learning_rate = params_.learning_rate,
           .warmup_share = params_.warmup_share}};
}

torch::Tensor CleanClipDefense::choose_samples(TrainContext& context) {
  return shuffled_clean_subset(context, "cleanclip");
}

torch::Tensor info_nce(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& logit_scale) {
  return torch::cross_entropy_loss(
      logit_scale * a.matmul(b.t()),
      torch::arange(a.size(0), torch::TensorOptions().dtype(torch::kLong).device(a.device())));
}

torch::Tensor CleanClipDefense::step(const Batch& batch, TrainContext& context) {
  if (params_.self_supervision_weight == 0) return params_.clip_weight * Defense::step(batch, context);
  const auto own = batch.pixels.size(0);
  auto captions = batch.captions;
  for (const auto& caption : batch.captions) {
    captions.push_back(params_.text.apply(caption, context.vocabulary, context.augmentation_rng));
  }
  const auto tokens = to_device(context.model.tokenize(captions), context.model.device());
  const auto views = params_.image.apply(batch.pixels, context.augmentation_rng);
  context.clock.lap("augment");
  // One pass for both halves, as the authors do: batch statistics are those of images and views together.
  const auto z_img = context.model.encode_image(torch::cat({batch.pixels, views})).split(own);  // 2 x [B, D]
  const auto z_txt = context.model.encode_text(tokens).split(own);                              // 2 x [B, D]
  context.clock.lap("forward");
  const auto scale = context.model.logit_scale();
  const auto inside = (info_nce(z_img[0], z_img[1], scale) + info_nce(z_txt[0], z_txt[1], scale)) / 2;
  return params_.clip_weight * clip_loss(z_img[0], z_txt[0], scale) + params_.self_supervision_weight * inside;
}

}  // namespace roclip
