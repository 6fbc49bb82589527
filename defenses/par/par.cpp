#include "par.h"

#include <algorithm>
#include <cmath>

#include <torch/serialize.h>

namespace roclip {

void ParDefense::Params::declare(ParamList& list) {
  const char* code = "nmndeep/PerturbAndRecover";
  list.add("epochs", epochs, Range{1, 100000}, "epochs", "passes over the clean subset",
           "ours, tried at one seed; 10 in nmndeep/PerturbAndRecover train.py, on 250,000 pairs");
  list.add("batch_size", batch_size, Range{0, 65536}, "pairs", "pairs a step; 0 = as in training",
           "ours; 512 on each of 4 GPUs in nmndeep/PerturbAndRecover trigger.sh");
  list.add("learning_rate", learning_rate, Range{0, 1}, "1", "peak, after the warm-up",
           "ours, tried at one seed; from 3e-5 down in nmndeep/PerturbAndRecover train.py");
  list.add("warmup_share", warmup_share, Range{0, 1}, "1", "share of the stage with a rising learning rate",
           "ours: as defense cleanclip");
  list.add("push_weight", push_weight, Range{0, 1e6}, "1", "of the squared distances to the poisoned model", code);
  list.add("tau", tau, Range{0, 4}, "1", "a batch whose mean squared distance is above it is not pushed", code);
  list.add("noise_probability", noise_probability, Range{0, 1}, "1", "share of images with noise", code);
  list.add("noise_std", noise_std, Range{0, 1}, "1", "of the noise, where white is 1", code);
  list.add("erasing_probability", erasing_probability, Range{0, 1}, "1", "share of images with a grey square", code);
  list.add("erasing_min_area", erasing_min_area, Range{0, 1}, "1", "of the square, as a share of the image", code);
  list.add("erasing_max_area", erasing_max_area, Range{0, 1}, "1", "of the square, as a share of the image", code);
}

ParDefense::ParDefense(Params params) : params_(params) {
  if (params.erasing_min_area <= params.erasing_max_area) return;
  throw Error(ErrorKind::kMatrix, "par/erasing_min_area: expected at most erasing_max_area, " +
                                      std::to_string(params.erasing_max_area) + ", got " +
                                      std::to_string(params.erasing_min_area) + "; exchange them");
}

std::vector<Stage> ParDefense::stages(const Stage& training) const {
  Stage poisoned = training;
  poisoned.plain = true;
  return {poisoned,
          {.name = "par",
           .epochs = params_.epochs,
           .batch_size = params_.batch_size > 0 ? params_.batch_size : training.batch_size,
           .learning_rate = params_.learning_rate,
           .warmup_share = params_.warmup_share}};
}

void ParDefense::before_stage(TrainContext& context) {
  check_clean_subset(context, "par");
  const auto indices = torch::tensor(context.clean_subset);
  context.model.train(false);
  images_ = embed_images(context.model, context.pairs, indices);
  captions_ = embed_captions(context.model, context.pairs, indices);
  context.model.train(true);
}

torch::Tensor ParDefense::choose_samples(TrainContext& context) { return shuffled_clean_subset(context, "par"); }

torch::Tensor ParDefense::augment_images(const torch::Tensor& pixels, TrainContext& context) {
  auto& rng = context.augmentation_rng;
  const auto noise = params_.noise_std * torch::randn(pixels.sizes(), rng.generator());
  auto result = pixels.clone();
  const auto height = pixels.size(2), width = pixels.size(3);
  for (std::int64_t i = 0; i < pixels.size(0); ++i) {
    if (rng.chance(params_.noise_probability)) result[i].add_(to_device(noise[i], pixels.device())).clamp_(0, 1);
    if (!rng.chance(params_.erasing_probability)) continue;
    const double area =
        params_.erasing_min_area + rng.uniform() * (params_.erasing_max_area - params_.erasing_min_area);
    const auto wanted = std::llround(std::sqrt(area * static_cast<double>(height * width)));
    const auto side = std::clamp<std::int64_t>(wanted, 1, std::min(height, width));
    const auto top = rng.below(height - side + 1), left = rng.below(width - side + 1);
    result[i].narrow(1, top, side).narrow(2, left, side).fill_(0.5);
  }
  return result;
}

torch::Tensor ParDefense::loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                               TrainContext& context) {
  const auto rows = torch::searchsorted(torch::tensor(context.clean_subset), batch.indices);
  const auto push = [&](const torch::Tensor& now, const torch::Tensor& poisoned) {
    const auto there = to_device(poisoned.index_select(0, rows), now.device());
    const auto distance = (now - there).square().sum(1).mean();  // 0..4
    return torch::where(distance > params_.tau, torch::zeros_like(distance), distance);
  };
  const auto pushed = push(z_img, images_) + push(z_txt, captions_);
  return clip_loss(z_img, z_txt, context.model.logit_scale()) - params_.push_weight * pushed;
}

void ParDefense::save(torch::serialize::OutputArchive& archive) const {
  if (!images_.defined()) return;
  archive.write("images", images_);
  archive.write("captions", captions_);
}

void ParDefense::load(torch::serialize::InputArchive& archive) {
  if (archive.try_read("images", images_)) archive.read("captions", captions_);
}

}  // namespace roclip
