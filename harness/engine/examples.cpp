#include "harness/engine/examples.h"

#include <algorithm>
#include <memory>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/image.h"
#include "harness/record/files.h"
#include "roclip/rng.h"

namespace roclip::bench {

namespace {

constexpr std::int64_t kWatched = 256;  ///< pairs of each kind
constexpr std::size_t kItems = 6, kPoisons = 6;

torch::Tensor tensor_of(const std::vector<std::int64_t>& values) { return torch::tensor(values, torch::kLong); }

double mean_similarity(ClipModel& model, const PoisonedPairs& pairs, const torch::Tensor& indices) {
  const auto z_img = embed_images(model, pairs, indices), z_txt = embed_captions(model, pairs, indices);
  return (z_img * z_txt).sum(1).mean().item<double>();
}

/// The best three classes of each image.
std::vector<std::vector<Guess>> top_three(ClipModel& model, const Dataset& data, const torch::Tensor& class_rows,
                                          const torch::Tensor& images) {
  const auto scores = model.logit_scale().cpu() * embed_images(model, images).matmul(class_rows.t());
  const auto best = torch::softmax(scores, 1).topk(std::min<std::int64_t>(3, scores.size(1)), 1);
  std::vector<std::vector<Guess>> rows;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    auto& row = rows.emplace_back();
    for (std::int64_t k = 0; k < std::get<0>(best).size(1); ++k) {
      const auto which = std::get<1>(best)[i][k].item<std::int64_t>();
      row.push_back({data.classes[static_cast<std::size_t>(which)].name, std::get<0>(best)[i][k].item<double>()});
    }
  }
  return rows;
}

}  // namespace

SimilarityWatch::SimilarityWatch(const PoisonedPairs& pairs, std::uint64_t seed) : pairs_(pairs) {
  Rng rng(seed);
  std::vector<std::int64_t> clean, poisoned;
  for (std::int64_t i = 0; i < pairs.size(); ++i) {
    if (pairs.poisoned(i) && std::ssize(poisoned) < kWatched) poisoned.push_back(i);
  }
  for (const auto i : rng.sample(pairs.size(), std::min(2 * kWatched, pairs.size()))) {
    if (!pairs.poisoned(i) && std::ssize(clean) < kWatched) clean.push_back(i);
  }
  clean_ = tensor_of(clean);
  poisoned_ = tensor_of(poisoned);
}

std::map<std::string, double> SimilarityWatch::operator()(ClipModel& model) const {
  std::map<std::string, double> means;
  if (clean_.numel() > 0) means["similarity_clean"] = mean_similarity(model, pairs_, clean_);
  if (poisoned_.numel() > 0) means["similarity_poisoned"] = mean_similarity(model, pairs_, poisoned_);
  return means;
}

Examples::Examples(const PoisonPlan& plan, const Dataset& data, const Attack& attack, std::uint64_t evaluation_seed)
    : data_(data) {
  const auto spread = [&](const torch::Tensor& candidates, std::int64_t wanted) {
    const auto count = std::min<std::int64_t>(kItems, candidates.numel());
    for (std::int64_t i = 0; i < count; ++i) {
      items_.push_back(candidates[(2 * i + 1) * candidates.numel() / (2 * count)].item<std::int64_t>());
      wanted_.push_back(wanted);
    }
  };
  if (const auto* goal = std::get_if<TargetImagesGoal>(&plan.goal)) {
    for (const auto& target : goal->targets) {
      if (items_.size() == kItems) break;
      items_.push_back(target.held_out);
      wanted_.push_back(target.adversarial_class);
    }
  } else if (const auto* triggered = std::get_if<TriggeredImagesGoal>(&plan.goal)) {
    const auto target = triggered->target_class.front();
    spread((data.held_out.labels != target).nonzero().flatten(), target);
  } else if (const auto* confused = std::get_if<ConfusedClassesGoal>(&plan.goal)) {
    spread((data.held_out.labels == confused->image_class).nonzero().flatten(), confused->caption_class);
  }
  if (items_.empty()) return;
  const auto items = tensor_of(items_);
  clean_ = data.held_out.images(items);
  if (std::holds_alternative<TriggeredImagesGoal>(plan.goal)) {
    triggered_ = attack.apply_trigger(clean_, test_draws(evaluation_seed, items, 0));
  }
}

void Examples::store(const std::filesystem::path& file, const PoisonedPairs& pairs) const {
  if (std::filesystem::exists(file)) return;
  const auto name = [&](std::int64_t which) { return data_.classes[static_cast<std::size_t>(which)].name; };
  Json items = Json::array(), poisons = Json::array();
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    items.push_back({{"held_out", items_[i]},
                     {"class", name(data_.held_out.label(items_[i]))},
                     {"wanted", name(wanted_[i])},
                     {"clean", png_base64(clean_[row])},
                     {"triggered", triggered_.defined() ? Json(png_base64(triggered_[row])) : Json()}});
  }
  for (std::int64_t i = 0; i < pairs.size() && poisons.size() < kPoisons; ++i) {
    if (pairs.poisoned(i)) poisons.push_back({{"image", png_base64(pairs.image(i))}, {"caption", pairs.caption(i)}});
  }
  if (items.empty() && poisons.empty()) return;
  write_json(file, {{"items", std::move(items)}, {"poisons", std::move(poisons)}});
}

std::vector<ExampleRecord> Examples::predictions(ClipModel& model) const {
  std::vector<ExampleRecord> examples;
  if (items_.empty()) return examples;
  const torch::NoGradGuard no_grad;
  const auto class_rows = class_embeddings(model, data_.classes);
  const auto clean = top_three(model, data_, class_rows, clean_);
  const auto triggered = triggered_.defined() ? top_three(model, data_, class_rows, triggered_)
                                              : std::vector<std::vector<Guess>>(items_.size());
  for (std::size_t i = 0; i < items_.size(); ++i) {
    examples.push_back({items_[i], clean[i], triggered[i]});
  }
  return examples;
}

}  // namespace roclip::bench
