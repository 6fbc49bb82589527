#include "safeclip.h"

#include <algorithm>
#include <cmath>

#include <torch/serialize.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "gaussian_mixture.h"

namespace roclip {

namespace {

/// Cross-entropy of row i of scale * a b^T against i, in one direction.
torch::Tensor one_direction(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& scale) {
  return torch::cross_entropy_loss(scale * a.matmul(b.t()), torch::arange(a.size(0), a.options().dtype(torch::kLong)));
}

/// Cosine of each image and its caption, without augmentation. @return f64 [N] on the CPU
torch::Tensor cosines(TrainContext& context) {
  constexpr std::int64_t kAtOnce = 4096;
  std::vector<torch::Tensor> parts;
  context.model.train(false);
  for (const auto& indices : torch::arange(context.pairs.size(), torch::kLong).split(kAtOnce)) {
    const auto z_img = embed_images(context.model, context.pairs, indices);
    parts.push_back((z_img * embed_captions(context.model, context.pairs, indices)).sum(1));
  }
  context.model.train(true);
  return torch::cat(parts).to(torch::kDouble);
}

}  // namespace

void SafeclipDefense::Params::declare(ParamList& list) {
  const char* rule = "BigML-CS-UCLA/SafeCLIP src/main.py:167: 5 and 1 of 32 epochs";
  list.add("unimodal_share", unimodal_share, Range{0, 1}, "1",
           "of the training's epochs: warm-up of each modality on its own; at least one epoch", rule);
  list.add("multimodal_share", multimodal_share, Range{0, 1}, "1",
           "of the training's epochs: training on all pairs at a low rate; at least one epoch", rule);
  list.add("multimodal_rate", multimodal_rate, Range{0, 1}, "1",
           "mean learning rate of that, as a share of the peak of training",
           "the authors' runs on COCO: 5e-5 of 5e-4; 5e-6 in src/parser.py, for 1M pairs; see the README");
  list.add("safe_probability", safe_probability, Range{0.001, 0.999}, "1",
           "pairs that the mixture's component of higher similarity has with at least this probability are safe at the "
           "first split",
           "BigML-CS-UCLA/SafeCLIP src/main.py");
  list.add("safe_growth", safe_growth, Range{0, 1}, "1",
           "of all pairs: how many more are safe at the end of training, in equal steps an epoch",
           "BigML-CS-UCLA/SafeCLIP src/main.py: 0.01 in each of 26 epochs");
  list.add("safe_limit", safe_limit, Range{0.001, 1}, "1", "of all pairs: never more are safe after the first split",
           "BigML-CS-UCLA/SafeCLIP src/main.py");
  list.add("bank_fraction", bank_fraction, Range{1e-6, 1}, "1",
           "embeddings in the bank of each modality, as a share of the training pairs",
           "21,845 of 1M in the authors' runs: 2.2 %");
  list.add("bank_size", bank_size, Range{0, 1e8}, "embeddings", "the same as a number; 0 = use bank_fraction",
           "2,048 in the authors' runs on COCO and Visual Genome");
  list.recipe("cc3m", {{"multimodal_rate", 0.01}, {"bank_fraction", 0.021845}},
              "BigML-CS-UCLA/SafeCLIP src/parser.py: filter_lr 5e-6 of 5e-4; bank of 21,845 for 1M pairs");
  list.recipe(
      "coco", {{"multimodal_rate", 0.1}, {"bank_size", 2048}},
      "commands in the branch inmodal of HangerYang/RoCLIP: filter_lr 5e-5 of 5e-4 (up to 1e-4), bank of 2,048");
  image.declare(list);
  text.declare(list);
}

std::vector<Stage> SafeclipDefense::stages(const Stage& training) const {
  const auto epochs = [&](double share) {
    return std::max<std::int64_t>(1, std::llround(share * static_cast<double>(training.epochs)));
  };
  Stage unimodal = training, multimodal = training, mixed = training;
  unimodal.name = "unimodal";
  unimodal.epochs = epochs(params_.unimodal_share);
  multimodal.name = "multimodal";
  multimodal.epochs = epochs(params_.multimodal_share);
  multimodal.learning_rate = 2 * params_.multimodal_rate * training.learning_rate;  // half of the peak is the mean
  multimodal.warmup_share = 0;
  mixed.name = "mixed";
  mixed.epochs = std::max<std::int64_t>(1, training.epochs - unimodal.epochs - multimodal.epochs);
  return {unimodal, multimodal, mixed};
}

void SafeclipDefense::before_stage(TrainContext& context) {
  if (!images_.empty()) return;
  const auto pairs = context.pairs.size();
  const auto wanted =
      params_.bank_size > 0 ? params_.bank_size : std::llround(params_.bank_fraction * static_cast<double>(pairs));
  const auto some = torch::tensor(context.rng.sample(pairs, std::clamp<std::int64_t>(wanted, 1, pairs)));
  context.model.train(false);
  images_ = EmbeddingBank(embed_images(context.model, context.pairs, some).to(context.model.device()));
  captions_ = EmbeddingBank(embed_captions(context.model, context.pairs, some).to(context.model.device()));
  context.model.train(true);
}

void SafeclipDefense::before_epoch(TrainContext& context) {
  if (context.stage.name != "mixed") return;
  const auto similar = cosines(context);
  const auto mixture = fit_two_gaussians(similar);
  scores_ = torch::empty_like(similar);
  const auto pairs = similar.size(0);
  for (std::int64_t i = 0; i < pairs; ++i) {
    scores_.data_ptr<double>()[i] = -mixture.log_odds(similar.data_ptr<double>()[i]);
  }
  const double sure = std::log(params_.safe_probability / (1 - params_.safe_probability));
  const auto all = static_cast<double>(pairs);
  const auto wanted =
      safe_share_ == 0 ? (scores_ <= -sure).sum().item<std::int64_t>() : std::llround(safe_share_ * all);
  const auto safe = std::clamp<std::int64_t>(wanted, context.stage.batch_size, pairs);
  threshold_ = std::get<0>(scores_.sort())[safe - 1].item<double>();
  if (safe_share_ == 0) safe_share_ = static_cast<double>(safe) / all;
  const double growth = params_.safe_growth / static_cast<double>(context.stage.epochs);
  safe_share_ = std::min(safe_share_ + growth, params_.safe_limit);
  context.clock.lap("scoring");
}

torch::Tensor SafeclipDefense::choose_samples(TrainContext& context) {
  if (context.stage.name != "mixed") return Defense::choose_samples(context);
  const auto permuted = [&](const torch::Tensor& chosen) {
    const auto indices = chosen.nonzero().squeeze(1);
    return indices.index_select(0, torch::randperm(indices.size(0), context.order_rng.generator(), torch::kLong));
  };
  const auto risky = permuted(scores_ > threshold_), safe = permuted(scores_ <= threshold_);
  const auto whole = risky.size(0) / context.stage.batch_size * context.stage.batch_size;
  return torch::cat({risky.narrow(0, 0, whole), safe});
}

SafeclipDefense::View SafeclipDefense::view(const Batch& batch, TrainContext& context) const {
  std::vector<std::string> captions;
  for (const auto& caption : batch.captions) {
    captions.push_back(params_.text.apply(caption, context.vocabulary, context.augmentation_rng));
  }
  return {params_.image.apply(batch.pixels, context.augmentation_rng),
          to_device(context.model.tokenize(captions), context.model.device())};
}

torch::Tensor SafeclipDefense::step(const Batch& batch, TrainContext& context) {
  const auto first = view(batch, context), second = view(batch, context);
  context.clock.lap("augment");
  const bool in_pairs = context.stage.name == "mixed"
                            ? scores_[batch.indices[0].item<std::int64_t>()].item<double>() <= threshold_
                            : context.stage.name == "multimodal";
  return in_pairs ? multimodal_loss(first, second, context) : unimodal_loss(first, second, context);
}

torch::Tensor SafeclipDefense::unimodal_loss(const View& first, const View& second, TrainContext& context) {
  torch::Tensor image, caption;
  {
    const torch::NoGradGuard no_grad;  // what these are replaced by comes from the bank, without gradient
    image = context.model.encode_image(first.pixels);
    caption = context.model.encode_text(first.tokens);
  }
  const auto z_img = context.model.encode_image(second.pixels), z_txt = context.model.encode_text(second.tokens);
  context.clock.lap("forward");
  images_.to(image.device());
  captions_.to(image.device());
  const auto near_image = images_.nearest(image), near_caption = captions_.nearest(caption);
  images_.enqueue(image);  // after the query, so that a view does not find itself
  captions_.enqueue(caption);
  const auto scale = context.model.logit_scale();
  return (one_direction(z_img, near_image, scale) + one_direction(z_txt, near_caption, scale)) / 2;
}

torch::Tensor SafeclipDefense::multimodal_loss(const View& first, const View& second, TrainContext& context) const {
  const auto z_img = context.model.encode_image(torch::cat({first.pixels, second.pixels})).chunk(2);
  const auto z_txt_first = context.model.encode_text(first.tokens),
             z_txt_second = context.model.encode_text(second.tokens);
  context.clock.lap("forward");
  const auto scale = context.model.logit_scale();
  return (one_direction(z_img[0], z_txt_second, scale) + one_direction(z_txt_first, z_img[1], scale)) / 2;
}

std::optional<Suspicion> SafeclipDefense::suspicion() const {
  if (!scores_.defined()) return std::nullopt;
  return Suspicion{scores_, threshold_};
}

void SafeclipDefense::save(torch::serialize::OutputArchive& archive) const {
  if (images_.empty()) return;
  archive.write("images", images_.rows());
  archive.write("captions", captions_.rows());
  archive.write("cursor", torch::tensor(images_.cursor()));  // of both banks: they take the same pairs
  archive.write("split", torch::tensor({threshold_, safe_share_}, torch::kDouble));
  if (scores_.defined()) archive.write("scores", scores_);
}

void SafeclipDefense::load(torch::serialize::InputArchive& archive) {
  torch::Tensor images, captions, cursor, split;
  if (!archive.try_read("images", images)) return;
  archive.read("captions", captions);
  archive.read("cursor", cursor);
  archive.read("split", split);
  archive.try_read("scores", scores_);
  images_ = EmbeddingBank(images, cursor.item<std::int64_t>());
  captions_ = EmbeddingBank(captions, cursor.item<std::int64_t>());
  threshold_ = split[0].item<double>();
  safe_share_ = split[1].item<double>();
}

}  // namespace roclip
