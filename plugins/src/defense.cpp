#include "roclip/defense.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void Defense::begin(TrainContext&) {}
void Defense::before_epoch(TrainContext&) {}

torch::Tensor Defense::choose_samples(TrainContext& context) {
  return torch::randperm(context.pairs.size(), context.order_rng.generator(), torch::kLong);
}

torch::Tensor Defense::augment_images(const torch::Tensor& pixels, TrainContext&) { return pixels; }
std::string Defense::augment_caption(const std::string& caption, TrainContext&) { return caption; }
bool Defense::text_learns(const TrainContext&) const { return true; }

torch::Tensor Defense::loss(const Batch& batch, TrainContext& context) {
  return clip_loss(batch.z_img, batch.z_txt, context.model.logit_scale());
}

void Defense::after_step(TrainContext&) {}
void Defense::after_epoch(TrainContext&) {}
void Defense::repair(TrainContext&) {}
void Defense::save(torch::serialize::OutputArchive&) const {}
void Defense::load(torch::serialize::InputArchive&) {}

}  // namespace roclip
