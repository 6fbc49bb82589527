#include "roclip.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void RoclipDefense::Params::declare(ParamList& list) {
  const char* code = "BigML-CS-UCLA/RoCLIP";
  list.add("pool_fraction", pool_fraction, Range{1e-6, 1}, "1",
           "captions in the pool, as a share of the training pairs",
           "--memory_bank_size 21845 of 1M in BigML-CS-UCLA/RoCLIP parser.py: 2.2 %");
  list.add("pool_size", pool_size, Range{0, 1e8}, "captions", "the same as a number; 0 = use pool_fraction", code);
  list.add("match_every", match_every, Range{0, 1e6}, "epochs",
           "match in epochs that this divides; 1 = always, 0 = never (augmentation only)",
           "--break_epoch 2, parser.py");
  list.add("first_matching_epoch", first_matching_epoch, Range{1, 1e6}, "epochs", "no matching before this epoch",
           code);
  list.choice("pool_initialisation", pool_initialisation, {"captions", "noise"},
              "what the pool holds first: random training captions, or random unit vectors as in the authors' code, "
              "where the first steps then match noise",
              "ours: real captions; noise in lightly's memory bank, which the authors use");
  list.choice("pool_refresh", pool_refresh, {"matching", "every_epoch"},
              "in which epochs captions are enqueued; the authors' pool is stale at the start of a matching epoch",
              "BigML-CS-UCLA/RoCLIP train.py: matching");
  list.choice("text_gradient", text_gradient, {"none", "matched"},
              "in matching epochs: none = pool embeddings are constants and the text tower gets no gradient; matched = "
              "the matched captions are encoded again, with gradient",
              "BigML-CS-UCLA/RoCLIP train.py: none");
  list.add("image_augmentation", image_augmentation, "crop, flip, jitter, grey and blur every image", "--cross_aug");
  list.add("text_augmentation", text_augmentation, "EDA on every caption", "--cross_aug");
  image.declare(list);
  text.declare(list);
}

bool RoclipDefense::matches_in(std::int64_t epoch) const {
  return params_.match_every > 0 && epoch >= params_.first_matching_epoch && epoch % params_.match_every == 0;
}

CaptionPool RoclipDefense::new_pool(TrainContext& context) const {
  const auto pairs = context.pairs.size();
  const auto wanted =
      params_.pool_size > 0 ? params_.pool_size : std::llround(params_.pool_fraction * static_cast<double>(pairs));
  const auto size = std::clamp<std::int64_t>(wanted, 1, pairs);
  auto pool = CaptionPool::of_random_captions(size, params_.text_gradient == "matched", context);
  if (params_.pool_initialisation == "captions") return pool;
  const auto noise = torch::randn({size, context.model.embedding_dim()}, context.rng.generator());
  return {unit_rows(noise).to(context.model.device()), pool.all_tokens()};
}

void RoclipDefense::before_epoch(TrainContext& context) {
  const bool used = params_.pool_refresh == "every_epoch" || matches_in(context.epoch);
  if (used && pool_.size() == 0) pool_ = new_pool(context);
}

torch::Tensor RoclipDefense::augment_images(const torch::Tensor& pixels, TrainContext& context) {
  return params_.image_augmentation ? params_.image.apply(pixels, context.augmentation_rng) : pixels;
}

std::string RoclipDefense::augment_caption(const std::string& caption, TrainContext& context) {
  return params_.text_augmentation ? params_.text.apply(caption, context.vocabulary, context.augmentation_rng)
                                   : caption;
}

torch::Tensor RoclipDefense::loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                                  TrainContext& context) {
  const bool matching = matches_in(context.epoch);
  pool_.to(z_img.device());
  torch::Tensor loss;
  if (matching) {
    const auto rows = pool_.nearest(z_img.detach());  // i64 [B]
    const auto matched = params_.text_gradient == "matched" ? context.model.encode_text(pool_.tokens(rows))
                                                            : pool_.embeddings(rows);  // f32 [B, D]
    context.clock.lap("matching");
    loss = clip_loss(z_img, matched, context.model.logit_scale());
  } else {
    loss = clip_loss(z_img, z_txt, context.model.logit_scale());
  }
  // After the query, so that an image does not find its own caption.
  if (matching || params_.pool_refresh == "every_epoch") {
    context.clock.lap("loss");
    pool_.enqueue(z_txt.detach(), batch.tokens);
    context.clock.lap("matching");
  }
  return loss;
}

}  // namespace roclip
