#include "roclip.h"

#include <algorithm>
#include <cmath>

#include <torch/serialize.h>
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
  list.add("periods", periods, Range{0, 1e6}, "1",
           "equal parts of the training that are counted in place of epochs; 0 = its epochs", "ours");
  list.choice("pool_initialisation", pool_initialisation, {"captions", "noise"},
              "what the pool holds first: random training captions, or random unit vectors as in the authors' code, "
              "where the first steps then match noise",
              "ours: real captions; noise in lightly's memory bank, which the authors use");
  list.choice("pool_refresh", pool_refresh, {"matching", "every_epoch"},
              "in which epochs captions are enqueued; the authors' pool is stale at the start of a matching epoch",
              "BigML-CS-UCLA/RoCLIP train.py: matching");
  list.choice("pool_end", pool_end, {"wraps", "drops"},
              "what becomes of the captions of a batch that do not fit before the end of the pool: they go on at its "
              "beginning, or are dropped, and the next batch begins there",
              "ours: wraps; BigML-CS-UCLA/RoCLIP memory_bank.py: drops");
  list.choice("text_gradient", text_gradient, {"none", "matched"},
              "in matching epochs: none = pool embeddings are constants and the text tower gets no gradient; matched = "
              "the matched captions are encoded again, with gradient",
              "BigML-CS-UCLA/RoCLIP train.py: none");
  list.add("image_augmentation", image_augmentation, "crop, flip, jitter, grey and blur every image", "--cross_aug");
  list.add("text_augmentation", text_augmentation, "EDA on every caption", "--cross_aug");
  list.choice("text_augmentation_draws", text_augmentation_draws, {"every_epoch", "once"},
              "when EDA is drawn: anew whenever a caption is used, or once for each caption and kept",
              "ours: every_epoch; BigML-CS-UCLA/RoCLIP data.py: once, when the data are read");
  list.choice(
      "schedule", schedule, {"whole", "epoch_ahead"},
      "of the learning rate: over the whole training, or an epoch ahead of it, so that the last epoch is past the "
      "end of the cosine",
      "ours: whole; BigML-CS-UCLA/RoCLIP train.py counts steps from the second epoch on: epoch_ahead");
  image.declare(list);
  text.declare(list);
  list.recipe(
      "authors",
      {{"pool_size", 21845},
       {"match_every", 2},
       {"pool_initialisation", "noise"},
       {"pool_refresh", "matching"},
       {"pool_end", "drops"},
       {"text_gradient", "none"},
       {"text_augmentation_draws", "once"},
       {"eda_probability", 1.0},
       {"word_share", 0.1},
       {"schedule", "epoch_ahead"},
       {"crop_min_area", 0.08},
       {"flip_probability", 0.5},
       {"jitter", 0.5},
       {"hue", 0.1},
       {"jitter_probability", 0.8},
       {"grey_probability", 0.2},
       {"blur_probability", 1.0},
       {"blur_sigma_max", 2.0}},
      "BigML-CS-UCLA/RoCLIP src/parser.py, train.py, memory_bank.py, data.py, utils/augment_image.py, utils/eda.py");
}

bool RoclipDefense::matches_in(std::int64_t epoch) const {
  return params_.match_every > 0 && epoch >= params_.first_matching_epoch && epoch % params_.match_every == 0;
}

bool RoclipDefense::matches(const TrainContext& context) const {
  if (params_.periods == 0) return matches_in(context.epoch);
  const double rounding = 1e-9;  // 15 / 22 * 22 is a little less than 15
  return matches_in(1 + static_cast<std::int64_t>(context.progress * static_cast<double>(params_.periods) + rounding));
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

std::vector<Stage> RoclipDefense::stages(const Stage& training) const {
  auto stage = training;
  if (params_.schedule == "epoch_ahead") stage.epochs_ahead = 1;
  return {stage};
}

void RoclipDefense::before_stage(TrainContext& context) {
  if (params_.text_augmentation_draws == "once") caption_seed_ = context.rng.next();
}

void RoclipDefense::before_epoch(TrainContext& context) {
  const bool used = params_.pool_refresh == "every_epoch" || matches(context);
  if (used && pool_.size() == 0) pool_ = new_pool(context);
}

torch::Tensor RoclipDefense::augment_images(const torch::Tensor& pixels, TrainContext& context) {
  return params_.image_augmentation ? params_.image.apply(pixels, context.augmentation_rng) : pixels;
}

std::string RoclipDefense::augment_caption(const std::string& caption, TrainContext& context) {
  if (!params_.text_augmentation) return caption;
  if (params_.text_augmentation_draws == "every_epoch") {
    return params_.text.apply(caption, context.vocabulary, context.augmentation_rng);
  }
  Rng rng(stream(caption_seed_, caption));
  return params_.text.apply(caption, context.vocabulary, rng);
}

void RoclipDefense::enqueue(const torch::Tensor& z_txt, const torch::Tensor& tokens) {
  const auto room = pool_.size() - pool_.cursor();
  const auto taken = params_.pool_end == "drops" ? std::min(z_txt.size(0), room) : z_txt.size(0);
  pool_.enqueue(z_txt.narrow(0, 0, taken), tokens.narrow(0, 0, taken));
}

torch::Tensor RoclipDefense::loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                                  TrainContext& context) {
  const bool matching = matches(context);
  if (matching && pool_.size() == 0) pool_ = new_pool(context);  // the first matching period began within an epoch
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
    enqueue(z_txt.detach(), batch.tokens);
    context.clock.lap("matching");
  }
  return loss;
}

void RoclipDefense::save(torch::serialize::OutputArchive& archive) const {
  pool_.save(archive);
  archive.write("caption_seed", torch::tensor(static_cast<std::int64_t>(caption_seed_)));
}

void RoclipDefense::load(torch::serialize::InputArchive& archive) {
  pool_.load(archive);
  torch::Tensor seed;
  archive.read("caption_seed", seed);
  caption_seed_ = static_cast<std::uint64_t>(seed.item<std::int64_t>());
}

}  // namespace roclip
