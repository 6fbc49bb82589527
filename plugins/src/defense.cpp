#include "roclip/defense.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void check_clean_subset(const TrainContext& context, const std::string& defense) {
  const auto clean = std::ssize(context.clean_subset);
  if (clean >= context.stage.batch_size) return;
  throw Error(ErrorKind::kMatrix, defense + "/batch_size: expected a clean subset of at least a batch of " +
                                      std::to_string(context.stage.batch_size) + " pairs, got " +
                                      std::to_string(clean) +
                                      "; give a larger clean subset, or a smaller batch_size of the defense");
}

torch::Tensor shuffled_clean_subset(TrainContext& context, const std::string& defense) {
  check_clean_subset(context, defense);
  return torch::tensor(context.clean_subset)
      .index_select(0, torch::randperm(std::ssize(context.clean_subset), context.order_rng.generator(), torch::kLong));
}

std::vector<Stage> Defense::stages(const Stage& training) const { return {training}; }

void Defense::before_stage(TrainContext&) {}
void Defense::before_epoch(TrainContext&) {}

torch::Tensor Defense::choose_samples(TrainContext& context) {
  return torch::randperm(context.pairs.size(), context.order_rng.generator(), torch::kLong);
}

torch::Tensor Defense::augment_images(const torch::Tensor& pixels, TrainContext&) { return pixels; }
std::string Defense::augment_caption(const std::string& caption, TrainContext&) { return caption; }
bool Defense::text_requires_grad(const TrainContext&) const { return true; }

torch::Tensor Defense::step(const Batch& batch, TrainContext& context) {
  const auto z_img = context.model.encode_image(batch.pixels);  // [B, D]
  torch::Tensor z_txt;
  {
    const torch::AutoGradMode grad(text_requires_grad(context));
    z_txt = context.model.encode_text(batch.tokens);  // [B, D]
  }
  context.clock.lap("forward");
  return loss(batch, z_img, z_txt, context);
}

torch::Tensor Defense::loss(const Batch&, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                            TrainContext& context) {
  return clip_loss(z_img, z_txt, context.model.logit_scale());
}

void Defense::after_step(TrainContext&) {}
void Defense::after_epoch(TrainContext&) {}
void Defense::after_stage(TrainContext&) {}
std::optional<Suspicion> Defense::suspicion() const { return std::nullopt; }
std::optional<torch::Tensor> Defense::input_suspicion(const torch::Tensor&, const Deployment&) const {
  return std::nullopt;
}
void Defense::save(torch::serialize::OutputArchive&) const {}
void Defense::load(torch::serialize::InputArchive&) {}

}  // namespace roclip
