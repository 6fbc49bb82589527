#include "abl.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <torch/serialize.h>
#include <torch/types.h>

namespace roclip {

void AblDefense::Params::declare(ParamList& list) {
  const char* losses = "ours: the loss of a classifier has two counterparts here";
  list.add("isolation_epochs_share", isolation_epochs_share, Range{0, 1}, "1",
           "of the training's epochs: before pairs are isolated; at least one epoch",
           "ours, see the README; 20 of 80 epochs in bboylyg/ABL config.py:20-34");
  list.choice("isolation_trick", isolation_trick, {"local_ascent", "flooding", "none"},
              "what is done in these epochs to a batch whose loss is below the floor: local_ascent = the sign of its "
              "loss is turned; flooding = it is pushed back to the floor",
              "Li et al. 2021: local gradient ascent");
  list.add("loss_floor", loss_floor, Range{0, 1}, "1", "as a share of the loss of a guess, ln(batch)",
           "bboylyg/ABL config.py: gamma 0.5, of ln(10) for ten classes");
  list.choice("isolation_loss", isolation_loss, {"contrastive", "cosine"},
              "by which pairs are isolated: that of the pair among a random batch, or 1 - the cosine of image and "
              "caption",
              losses);
  list.add("isolated_share", isolated_share, Range{0, 1}, "1",
           "of all pairs, those of least loss that are isolated; at least a batch", "bboylyg/ABL config.py: 1 %");
  list.add("unlearning_epochs", unlearning_epochs, Range{1, 100000}, "epochs", "passes over the isolated pairs",
           "bboylyg/ABL config.py: 5 to 20");
  list.add("unlearning_rate", unlearning_rate, Range{0, 1000}, "1",
           "peak learning rate of these, as a share of the peak of training", "bboylyg/ABL config.py: 5e-4 of 0.1");
  list.choice("unlearning_loss", unlearning_loss, {"contrastive", "cosine"},
              "what rises: the CLIP loss of a batch of isolated pairs, or 1 - the cosine of image and caption", losses);
  list.recipe("abl", {{"isolation_epochs_share", 0.25}}, "bboylyg/ABL config.py:20-34: 20 epochs, then 60");
}

std::vector<Stage> AblDefense::stages(const Stage& training) const {
  Stage isolate = training, train = training, unlearn = training;
  isolate.name = "isolate";
  isolate.epochs =
      std::max<std::int64_t>(1, std::llround(params_.isolation_epochs_share * static_cast<double>(training.epochs)));
  train.name = "train";
  train.epochs = std::max<std::int64_t>(1, training.epochs - isolate.epochs);
  unlearn.name = "unlearn";
  unlearn.epochs = params_.unlearning_epochs;
  unlearn.learning_rate = params_.unlearning_rate * training.learning_rate;
  unlearn.warmup_share = 0;
  return {isolate, train, unlearn};
}

torch::Tensor contrastive_losses(const torch::Tensor& z_img, const torch::Tensor& z_txt, double scale) {
  const auto logits = scale * z_img.to(torch::kDouble).matmul(z_txt.to(torch::kDouble).t());  // [B, B]
  return -(logits.log_softmax(1).diagonal() + logits.log_softmax(0).diagonal()) / 2;
}

torch::Tensor AblDefense::pair_losses(TrainContext& context) const {
  const auto pairs = context.pairs.size();
  const auto scale = context.model.logit_scale().item<double>();
  auto losses = torch::zeros({pairs}, torch::kDouble);
  const auto order = torch::randperm(pairs, context.rng.generator(), torch::kLong);
  context.model.train(false);
  for (const auto& indices : order.tensor_split(pairs / context.stage.batch_size)) {
    const auto z_img = embed_images(context.model, context.pairs, indices),
               z_txt = embed_captions(context.model, context.pairs, indices);
    losses.index_copy_(0, indices,
                       params_.isolation_loss == "contrastive" ? contrastive_losses(z_img, z_txt, scale)
                                                               : 1 - (z_img * z_txt).sum(1).to(torch::kDouble));
  }
  context.model.train(true);
  return losses;
}

void AblDefense::before_stage(TrainContext& context) {
  const auto pairs = context.pairs.size(), batch = context.stage.batch_size;
  if (pairs < 2 * batch) {
    throw Error(ErrorKind::kMatrix, "abl: expected at least two batches of " + std::to_string(batch) +
                                        " pairs, one of them to isolate, got " + std::to_string(pairs) +
                                        " pairs; give a smaller training/batch_size");
  }
  if (context.stage.name != "train") return;
  losses_ = pair_losses(context);
  const auto wanted = std::llround(params_.isolated_share * static_cast<double>(pairs));
  const auto rising = std::get<1>(losses_.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));
  isolated_ = rising.narrow(0, 0, std::clamp<std::int64_t>(wanted, batch, pairs - batch)).clone();
  context.clock.lap("scoring");
}

torch::Tensor AblDefense::choose_samples(TrainContext& context) {
  if (context.stage.name == "isolate") return Defense::choose_samples(context);
  auto chosen = isolated_;
  if (context.stage.name == "train") {
    auto others = torch::ones({context.pairs.size()}, torch::kBool);
    others.index_fill_(0, isolated_, false);
    chosen = others.nonzero().squeeze(1);
  }
  return chosen.index_select(0, torch::randperm(chosen.size(0), context.order_rng.generator(), torch::kLong));
}

torch::Tensor AblDefense::loss(const Batch&, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                               TrainContext& context) {
  if (context.stage.name == "unlearn" && params_.unlearning_loss == "cosine") return (z_img * z_txt).sum(1).mean();
  const auto loss = clip_loss(z_img, z_txt, context.model.logit_scale());
  if (context.stage.name == "unlearn") return -loss;
  if (context.stage.name == "train" || params_.isolation_trick == "none") return loss;
  const double floor = params_.loss_floor * std::log(static_cast<double>(z_img.size(0)));
  if (params_.isolation_trick == "flooding") return (loss - floor).abs() + floor;
  return (loss.detach() - floor).sign() * loss;
}

std::optional<Suspicion> AblDefense::suspicion() const {
  if (!losses_.defined()) return std::nullopt;
  const auto least = -losses_.index_select(0, isolated_).max().item<double>();  // score of the last one isolated
  return Suspicion{-losses_, std::nextafter(least, -std::numeric_limits<double>::infinity())};
}

void AblDefense::save(torch::serialize::OutputArchive& archive) const {
  if (!losses_.defined()) return;
  archive.write("losses", losses_);
  archive.write("isolated", isolated_);
}

void AblDefense::load(torch::serialize::InputArchive& archive) {
  if (archive.try_read("losses", losses_)) archive.read("isolated", isolated_);
}

}  // namespace roclip
