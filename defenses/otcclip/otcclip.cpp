#include "otcclip.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "transport.h"

namespace roclip {

void OtcclipDefense::Params::declare(ParamList& list) {
  const char* unknown = "ours: the abstract of arXiv 2509.18717 gives none";
  list.add("pool_fraction", pool_fraction, Range{1e-6, 1}, "1",
           "captions in the pool, as a share of the training pairs", "as in roclip: BigML-CS-UCLA/RoCLIP parser.py");
  list.add("match_every", match_every, Range{0, 1e6}, "epochs",
           "match in epochs that this divides; 1 = always, 0 = never (augmentation only)",
           "as in roclip: --break_epoch 2 in BigML-CS-UCLA/RoCLIP parser.py");
  list.add("shortlist", shortlist, Range{1, 65536}, "captions",
           "captions of the pool that are compared by transport, the most similar ones by embedding; 1 = roclip",
           "ours, by zero-shot accuracy without an attack; the abstract of arXiv 2509.18717 knows no shortlist");
  list.add("epsilon", epsilon, Range{1e-3, 100}, "1", "weight of the entropy of the plan; costs are 0 to 2", unknown);
  list.add("iterations", iterations, Range{1, 1e5}, "1", "of Sinkhorn", unknown);
  list.add("image_augmentation", image_augmentation, "crop, flip, jitter, grey and blur every image", "as in roclip");
  list.add("text_augmentation", text_augmentation, "EDA on every caption", "as in roclip");
  image.declare(list);
  text.declare(list);
}

void OtcclipDefense::before_epoch(TrainContext& context) {
  if (pool_.size() > 0 || !matches_in(context.epoch)) return;
  const auto pairs = context.pairs.size();
  const auto wanted = std::llround(params_.pool_fraction * static_cast<double>(pairs));
  pool_ = CaptionPool::of_random_captions(std::clamp<std::int64_t>(wanted, 1, pairs), /*with_tokens=*/true, context);
}

torch::Tensor OtcclipDefense::augment_images(const torch::Tensor& pixels, TrainContext& context) {
  return params_.image_augmentation ? params_.image.apply(pixels, context.augmentation_rng) : pixels;
}

std::string OtcclipDefense::augment_caption(const std::string& caption, TrainContext& context) {
  return params_.text_augmentation ? params_.text.apply(caption, context.vocabulary, context.augmentation_rng)
                                   : caption;
}

torch::Tensor OtcclipDefense::loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                                   TrainContext& context) {
  if (!matches_in(context.epoch)) return clip_loss(z_img, z_txt, context.model.logit_scale());
  pool_.to(z_img.device());
  const auto rows = match(batch.pixels, z_img, context.model);
  context.clock.lap("matching");
  const auto loss = clip_loss(z_img, pool_.embeddings(rows), context.model.logit_scale());
  pool_.enqueue(z_txt.detach(), batch.tokens);  // after the query, so that an image does not find its own caption
  return loss;
}

torch::Tensor OtcclipDefense::match(const torch::Tensor& pixels, const torch::Tensor& z_img, ClipModel& model) const {
  const torch::NoGradGuard no_grad;
  const auto shortlist = std::min(params_.shortlist, pool_.size());
  const auto rows = std::get<1>(z_img.matmul(pool_.all_embeddings().t()).topk(shortlist, /*dim=*/1));  // [B, S]

  // Many images share captions: each is encoded once.
  const auto [captions, which] = at::_unique(rows, /*sorted=*/true, /*return_inverse=*/true);
  const auto tokens = pool_.tokens(captions);     // [U, L]
  model.train(false);                             // so that batch statistics are not updated twice
  const auto places = model.image_parts(pixels);  // [B, T, D]
  const auto words = model.text_parts(tokens).index_select(0, which.flatten());  // [B * S, L, D]
  model.train(true);
  auto is_word = tokens != 0;
  is_word.select(/*dim=*/1, 0).fill_(true);  // a caption without words costs 1

  const auto batch = places.size(0), length = tokens.size(1);
  const auto cosine = places.bmm(words.view({batch, shortlist * length, -1}).transpose(1, 2));  // [B, T, S * L]
  const auto cost = (1 - cosine).view({batch, -1, shortlist, length}).transpose(1, 2);          // [B, S, T, L]
  const auto distance =
      transport_cost(cost.flatten(0, 1), is_word.index_select(0, which.flatten()), params_.epsilon, params_.iterations);
  const auto nearest = distance.view({batch, shortlist}).argmin(/*dim=*/1, /*keepdim=*/true);
  return rows.gather(1, nearest).squeeze(1);
}

}  // namespace roclip
