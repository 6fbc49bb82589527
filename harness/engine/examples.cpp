#include "harness/engine/examples.h"

#include <algorithm>
#include <memory>

#include <glib.h>
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
  std::vector<std::string> captions;
  for (const auto index : std::span(indices.data_ptr<std::int64_t>(), static_cast<std::size_t>(indices.numel()))) {
    captions.push_back(pairs.caption(index));
  }
  const auto z_img = embed_images(model, pairs.images(indices)), z_txt = embed_captions(model, captions);
  return (z_img * z_txt).sum(1).mean().item<double>();
}

/// As base64 of a PNG. @param image uint8 [3, H, W], RGB
std::string png(const torch::Tensor& image) {
  const auto bytes = png_bytes(image);
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const std::unique_ptr<char, decltype(&g_free)> text(g_base64_encode(data, bytes.size()), &g_free);
  return text.get();
}

torch::Tensor held_out_images(const PoisonPlan& plan, const Dataset& data) {
  return data.held_out.images.index_select(0, tensor_of(example_items(plan, data)));
}

/// Rows of the best three classes: [[["fruit", 0.8], ...], ...].
Json top_three(ClipModel& model, const Dataset& data, const torch::Tensor& class_rows, const torch::Tensor& images) {
  const auto scores = model.logit_scale().cpu() * embed_images(model, images).matmul(class_rows.t());
  const auto best = torch::softmax(scores, 1).topk(std::min<std::int64_t>(3, scores.size(1)), 1);
  Json rows = Json::array();
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    Json row = Json::array();
    for (std::int64_t k = 0; k < std::get<0>(best).size(1); ++k) {
      const auto which = std::get<1>(best)[i][k].item<std::int64_t>();
      row.push_back({data.classes[static_cast<std::size_t>(which)].name, std::get<0>(best)[i][k].item<double>()});
    }
    rows.push_back(std::move(row));
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

std::vector<std::int64_t> example_items(const PoisonPlan& plan, const Dataset& data) {
  std::vector<std::int64_t> items;
  for (const auto& target : plan.targets) {
    if (items.size() < kItems) items.push_back(target.held_out);
  }
  if (!plan.target_class) return items;
  const auto others = (data.held_out.labels != *plan.target_class).nonzero().flatten();
  const auto count = std::min<std::int64_t>(kItems, others.numel());
  for (std::int64_t i = 0; i < count; ++i) {
    items.push_back(others[(2 * i + 1) * others.numel() / (2 * count)].item<std::int64_t>());
  }
  return items;
}

void store_examples(const std::filesystem::path& file, const PoisonPlan& plan, const Dataset& data,
                    const PoisonedPairs& pairs, const Attack& attack) {
  const auto chosen = example_items(plan, data);
  if (chosen.empty() || std::filesystem::exists(file)) return;
  const auto clean = held_out_images(plan, data);
  const auto triggered = plan.target_class ? attack.apply_trigger(clean) : torch::Tensor();
  const auto name = [&](std::int64_t which) { return data.classes[static_cast<std::size_t>(which)].name; };
  Json items = Json::array(), poisons = Json::array();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    items.push_back({{"held_out", chosen[i]},
                     {"class", name(data.held_out.labels[chosen[i]].item<std::int64_t>())},
                     {"wanted", name(plan.target_class ? *plan.target_class : plan.targets[i].adversarial_class)},
                     {"clean", png(clean[row])},
                     {"triggered", triggered.defined() ? Json(png(triggered[row])) : Json()}});
  }
  for (std::int64_t i = 0; i < pairs.size() && poisons.size() < kPoisons; ++i) {
    if (!pairs.poisoned(i)) continue;
    poisons.push_back({{"image", png(pairs.images(tensor_of({i}))[0])}, {"caption", pairs.caption(i)}});
  }
  write_json(file, {{"items", std::move(items)}, {"poisons", std::move(poisons)}});
}

Json example_predictions(ClipModel& model, const PoisonPlan& plan, const Dataset& data, const Attack& attack) {
  const torch::NoGradGuard no_grad;
  const auto chosen = example_items(plan, data);
  Json examples = Json::array();
  if (chosen.empty()) return examples;
  const auto class_rows = class_embeddings(model, data.classes);
  const auto images = held_out_images(plan, data);
  const Json clean = top_three(model, data, class_rows, images);
  const Json triggered = plan.target_class ? top_three(model, data, class_rows, attack.apply_trigger(images)) : Json();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    examples.push_back(
        {{"held_out", chosen[i]}, {"clean", clean[i]}, {"triggered", triggered.is_null() ? Json() : triggered[i]}});
  }
  return examples;
}

}  // namespace roclip::bench
