#include "unlearn.h"

#include <algorithm>
#include <cmath>
#include <span>

#include <torch/serialize.h>

namespace roclip {

namespace {

/// Cosine similarity of image and caption of every pair, f64 [N].
torch::Tensor similarities(TrainContext& context) {
  const auto all = torch::arange(context.pairs.size(), torch::kLong);
  const auto images = embed_images(context.model, context.pairs, all).to(torch::kDouble);
  return (images * embed_captions(context.model, context.pairs, all)).sum(1);
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& word : list) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<std::int64_t> to_vector(const torch::Tensor& indices) {
  return {indices.data_ptr<std::int64_t>(), indices.data_ptr<std::int64_t>() + indices.numel()};
}

}  // namespace

void UnlearnDefense::Params::declare(ParamList& list) {
  const char* ours = "ours: the abstracts give no numbers";
  list.add("overfit_share", overfit_share, Range{0, 1}, "1",
           "pairs that match worst and are overfitted, as a share of all; at least a batch", ours);
  list.add("overfit_epochs", overfit_epochs, Range{1, 100000}, "epochs", "passes over them", ours);
  list.add("overfit_learning_rate", overfit_learning_rate, Range{0, 1}, "1", "peak of overfitting", ours);
  list.add("unlearn_share", unlearn_share, Range{0, 0.5}, "1",
           "pairs whose similarity jumped most and are unlearned, as a share of all; at least one", ours);
  list.add("local_words", local_words, Range{0, 1000}, "words",
           "of a caption that are unlearned: those without which it matches its image least; 0 = all", ours);
  list.add("unlearn_steps", unlearn_steps, Range{0, 1e6}, "steps", "of unlearning, at most", ours);
  list.add("unlearn_learning_rate", unlearn_learning_rate, Range{0, 100}, "1", "of its gradient steps", ours);
  list.add("stop_similarity", stop_similarity, Range{-1, 1}, "1",
           "unlearning ends when the mean similarity of a batch of suspects is no higher", ours);
}

std::vector<Stage> UnlearnDefense::stages(const Stage& training) const {
  Stage poisoned = training;
  poisoned.plain = true;
  return {poisoned,
          {.name = "overfit",
           .epochs = params_.overfit_epochs,
           .batch_size = training.batch_size,
           .learning_rate = params_.overfit_learning_rate}};
}

void UnlearnDefense::before_stage(TrainContext& context) {
  context.model.train(false);
  similarity_ = similarities(context);
  context.model.train(true);
  for (const auto& weights : context.model.trainable()) poisoned_.push_back(weights.detach().clone());
  context.clock.lap("scoring");
}

torch::Tensor UnlearnDefense::choose_samples(TrainContext& context) {
  const auto pairs = context.pairs.size();
  const auto wanted = std::llround(params_.overfit_share * static_cast<double>(pairs));
  const auto worst = similarity_.argsort().narrow(0, 0, std::max<std::int64_t>(wanted, context.stage.batch_size));
  return worst.index_select(0, torch::randperm(worst.size(0), context.order_rng.generator(), torch::kLong));
}

torch::Tensor UnlearnDefense::step(const Batch& batch, TrainContext& context) {
  context.model.train(false);  // statistics stay as they are: only weights can be put back
  return Defense::step(batch, context);
}

void UnlearnDefense::after_stage(TrainContext& context) {
  const auto pairs = context.pairs.size();
  scores_ = similarities(context) - similarity_;
  const auto wanted = std::llround(params_.unlearn_share * static_cast<double>(pairs));
  const auto suspects = std::clamp<std::int64_t>(wanted, 1, pairs - 1);
  threshold_ = std::get<0>(scores_.sort())[pairs - suspects - 1].item<double>();
  {
    const torch::NoGradGuard no_grad;
    const auto weights = context.model.trainable();
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i].copy_(poisoned_[i]);
  }
  poisoned_.clear();
  similarity_.reset();
  unlearn((scores_ > threshold_).nonzero().squeeze(1), context);
  context.clock.lap("unlearning");
}

void UnlearnDefense::unlearn(const torch::Tensor& suspects, TrainContext& context) const {
  auto& model = context.model;
  const auto images = embed_images(model, context.pairs, suspects);
  std::vector<std::string> captions;
  for (const auto suspect : to_vector(suspects)) {
    captions.push_back(
        local_words(model, images[std::ssize(captions)], context.pairs.caption(suspect), params_.local_words));
  }
  const auto batches = torch::arange(suspects.numel(), torch::kLong).split(context.stage.batch_size);
  for (std::int64_t step = 0; step < params_.unlearn_steps; ++step) {
    const auto& rows = batches[static_cast<std::size_t>(step) % batches.size()];
    const auto from = static_cast<std::size_t>(rows[0].item<std::int64_t>());
    const auto texts = std::span<const std::string>(captions).subspan(from, static_cast<std::size_t>(rows.numel()));
    const auto pixels = to_pixels(context.pairs.images(suspects.index_select(0, rows)), model.device());
    const auto z_txt = model.encode_text(to_device(model.tokenize(texts), model.device()));
    const auto similarity = (model.encode_image(pixels) * z_txt).sum(1).mean();
    if (similarity.item<double>() <= params_.stop_similarity) return;
    for (auto& weights : model.trainable()) weights.mutable_grad().reset();
    similarity.backward();
    const torch::NoGradGuard no_grad;
    for (auto& weights : model.trainable()) {
      if (weights.grad().defined()) weights.sub_(weights.grad(), params_.unlearn_learning_rate);
    }
  }
}

std::string local_words(ClipModel& model, const torch::Tensor& image, const std::string& caption, std::int64_t count) {
  const auto all = words(caption);
  if (count == 0 || std::ssize(all) <= count) return caption;
  std::vector<std::string> without;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto rest = all;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    without.push_back(joined(rest));
  }
  const auto similarity = embed_captions(model, without).matmul(image);  // [L]
  auto kept = to_vector(std::get<0>(similarity.argsort(/*stable=*/true, /*dim=*/0, false).narrow(0, 0, count).sort()));
  std::vector<std::string> result;
  for (const auto i : kept) result.push_back(all[static_cast<std::size_t>(i)]);
  return joined(result);
}

std::optional<Suspicion> UnlearnDefense::suspicion() const {
  if (!scores_.defined()) return std::nullopt;
  return Suspicion{scores_, threshold_};
}

void UnlearnDefense::save(torch::serialize::OutputArchive& archive) const {
  for (std::size_t i = 0; i < poisoned_.size(); ++i) archive.write("weights_" + std::to_string(i), poisoned_[i]);
  if (similarity_.defined()) archive.write("similarity", similarity_);
  if (!scores_.defined()) return;
  archive.write("scores", scores_);
  archive.write("threshold", torch::tensor(threshold_, torch::kDouble));
}

void UnlearnDefense::load(torch::serialize::InputArchive& archive) {
  poisoned_.clear();
  const auto next = [&](torch::Tensor& weights) {
    return archive.try_read("weights_" + std::to_string(poisoned_.size()), weights);
  };
  for (torch::Tensor weights; next(weights); weights = torch::Tensor()) poisoned_.push_back(weights);
  archive.try_read("similarity", similarity_);
  torch::Tensor threshold;
  if (!archive.try_read("scores", scores_)) return;
  archive.read("threshold", threshold);
  threshold_ = threshold.item<double>();
}

}  // namespace roclip
