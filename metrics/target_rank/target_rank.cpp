#include "target_rank.h"

#include <limits>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr std::int64_t kAtOnce = 512;  // images or captions

double mean_rank(const torch::Tensor& ranks) { return ranks.to(torch::kFloat64).mean().item<double>(); }

Json list_of(const torch::Tensor& numbers) {
  return std::vector<std::int64_t>(numbers.data_ptr<std::int64_t>(),
                                   numbers.data_ptr<std::int64_t>() + numbers.numel());
}

/// Ranks of attacked items, and of the same items without the trigger, one part after another.
struct Ranks {
  std::vector<torch::Tensor> items, attacked, clean;

  /// @param candidates what the ranks are among: "classes" or "images"; and their number
  MetricResult result(const std::string& candidates, std::int64_t number) const {
    auto all_items = torch::cat(items);
    const auto order = std::get<1>(torch::sort(all_items, /*stable=*/true, /*dim=*/0, /*descending=*/false));
    const auto joined = [&](const std::vector<torch::Tensor>& parts) {
      return torch::cat(parts).index_select(/*dim=*/0, order);
    };
    const auto ranks = joined(attacked);
    MetricResult result{
        .values = {{"mean_rank", mean_rank(ranks), "rank"}, {"median_rank", median_rank(ranks), "rank"}}};
    Json details = {{"items", list_of(joined(items))}, {"ranks", list_of(ranks)}, {candidates, number}};
    if (!clean.empty()) {
      const auto before = joined(clean);
      result.values.push_back({"clean_mean_rank", mean_rank(before), "rank"});
      result.values.push_back({"clean_median_rank", median_rank(before), "rank"});
      details["clean_ranks"] = list_of(before);
    }
    result.details = details.dump();
    return result;
  }
};

/// Of attacked images, among the classes.
MetricResult of_images(ClipModel& model, const EvalInputs& inputs, const std::vector<AttackedImages>& attacked) {
  const auto plain = class_embeddings(model, inputs.data.classes);
  Ranks ranks;
  for (const auto& part : attacked) {
    const auto classes = inputs.attacked_classes(model, part);
    for (std::int64_t first = 0; first < part.items.numel(); first += kAtOnce) {
      const auto items = part.items.slice(0, first, first + kAtOnce);
      const auto wanted = part.wanted.slice(0, first, first + kAtOnce);
      const auto rank = [&](const torch::Tensor& images, const torch::Tensor& among) {
        return rank_of(embed_images(model, images).matmul(among.t()), wanted);
      };
      ranks.items.push_back(items);
      ranks.attacked.push_back(rank(inputs.as_attacked(part, items), classes));
      if (part.trigger) ranks.clean.push_back(rank(inputs.data.held_out.images(items), plain));
    }
  }
  return ranks.result("classes", plain.size(0));
}

/// The items' captions; the first prompt of its class for an item without.
std::vector<std::string> queries(const Dataset& data, const torch::Tensor& items) {
  std::vector<std::string> texts;
  for (std::int64_t i = 0; i < items.numel(); ++i) {
    const auto item = items[i].item<std::int64_t>();
    const auto caption = data.held_out.pairs->caption(item);
    const auto& info = data.classes[static_cast<std::size_t>(data.held_out.label(item))];
    texts.push_back(caption.empty() ? info.prompts.front() : caption);
  }
  return texts;
}

/// Of captions of other classes that ask for an image: how many images come before the first one of the target class?
MetricResult of_texts(ClipModel& model, const EvalInputs& inputs, const TriggeredTextGoal& goal) {
  const auto& held_out = inputs.data.held_out;
  const auto images = embed_images(model, *held_out.pairs, torch::arange(held_out.size(), torch::kLong));
  Ranks ranks;
  for (std::size_t t = 0; t < goal.target_class.size(); ++t) {
    const auto other = held_out.labels != goal.target_class[t];
    const auto items = other.nonzero().squeeze(1);
    if (items.numel() == 0 || other.all().item<bool>()) {
      return {.not_applicable = "the data set has no held-out image of the target class, or none of another"};
    }
    for (const auto& chunk : items.split(kAtOnce)) {
      const auto texts = queries(inputs.data, chunk);
      const auto rank = [&](const std::vector<std::string>& of) {
        const auto scores = embed_captions(model, of).matmul(images.t());  // [n, M]
        const auto first = scores.masked_fill(other, -std::numeric_limits<double>::infinity()).argmax(/*dim=*/1);
        return rank_of(scores, first);
      };
      const auto draws = inputs.test_draws(chunk, static_cast<std::int64_t>(t));
      ranks.items.push_back(chunk);
      ranks.attacked.push_back(rank(inputs.apply_text_trigger(texts, draws)));
      ranks.clean.push_back(rank(texts));
    }
  }
  return ranks.result("images", held_out.size());
}

}  // namespace

double median_rank(const torch::Tensor& ranks) {
  const auto sorted = std::get<0>(ranks.to(torch::kFloat64).sort());
  const auto n = sorted.size(0);
  return (sorted[(n - 1) / 2].item<double>() + sorted[n / 2].item<double>()) / 2;
}

MetricResult TargetRank::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  if (const auto* text = std::get_if<TriggeredTextGoal>(&inputs.goal)) return of_texts(model, inputs, *text);
  const auto attacked = inputs.attacked_images();
  if (attacked.empty()) return {.not_applicable = "the attack attacks no held-out image"};
  return of_images(model, inputs, attacked);
}

}  // namespace roclip
