#include "second_opinion.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void SecondOpinion::Params::declare(ParamList& list) {
  list.add("pool_fraction", pool_fraction, Range{1e-6, 1}, "1",
           "captions in the pool, as a share of the training pairs", "as roclip");
  list.add("plain_share", plain_share, Range{0, 1}, "1",
           "of the training's steps, plain CLIP before captions are doubted: they have to mean something first",
           "ours");
  list.add("believed_share", believed_share, Range{1e-6, 1}, "1",
           "a caption is believed if at most this share of the pool is more similar to its image", "ours");
  list.choice(
      "otherwise", otherwise, {"nearest", "nothing"},
      "what an image learns from whose caption is not believed: the most similar caption of the pool, or nothing",
      "ours; nearest: RoCLIP");
  list.add("text_weight", text_weight, Range{0, 1}, "1",
           "of the loss by which captions learn from their own images, believed or not; the rest is the images' loss",
           "ours");
  list.add("image_augmentation", image_augmentation, "crop, flip, jitter, grey and blur every image", "as roclip");
  list.add("text_augmentation", text_augmentation, "EDA on every caption", "as roclip");
  image.declare(list);
  text.declare(list);
}

torch::Tensor SecondOpinion::augment_images(const torch::Tensor& pixels, TrainContext& context) {
  return params_.image_augmentation ? params_.image.apply(pixels, context.augmentation_rng) : pixels;
}

std::string SecondOpinion::augment_caption(const std::string& caption, TrainContext& context) {
  return params_.text_augmentation ? params_.text.apply(caption, context.vocabulary, context.augmentation_rng)
                                   : caption;
}

torch::Tensor SecondOpinion::loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                                  TrainContext& context) {
  const auto scale = context.model.logit_scale();
  if (context.progress < params_.plain_share) return clip_loss(z_img, z_txt, scale);
  if (pool_.size() == 0) {
    const auto pairs = context.pairs.size();
    const auto size = std::llround(params_.pool_fraction * static_cast<double>(pairs));
    pool_ = CaptionPool::of_random_captions(std::clamp<std::int64_t>(size, 1, pairs), /*with_tokens=*/false, context);
  }
  pool_.to(z_img.device());
  const auto images = z_img.detach(), captions = z_txt.detach();
  const auto nearer =  // captions of the pool than an image's own, i64 [B]
      (images.matmul(pool_.all_embeddings().t()) > (images * captions).sum(1, /*keepdim=*/true)).sum(1);
  const auto most = params_.believed_share * static_cast<double>(pool_.size());
  const auto believed = (nearer <= most).unsqueeze(1);  // bool [B, 1]
  torch::Tensor images_loss;
  if (params_.otherwise == "nearest") {
    const auto nearest = pool_.embeddings(pool_.nearest(images));  // f32 [B, D]
    images_loss = clip_loss(z_img, torch::where(believed, z_txt, nearest), scale);
  } else {
    images_loss = clip_loss(torch::where(believed, z_img, images), z_txt, scale);
  }
  context.clock.lap("matching");
  const auto captions_loss = clip_loss(images, z_txt, scale);
  context.clock.lap("loss");
  pool_.enqueue(captions, batch.tokens);  // after the query, so that an image does not find its own caption
  context.clock.lap("matching");
  return (1 - params_.text_weight) * images_loss + params_.text_weight * captions_loss;
}

}  // namespace roclip
