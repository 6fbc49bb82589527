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

/// Ranks for every kind of goal.
class Wanted {
 public:
  Wanted(ClipModel& model, const EvalInputs& inputs)
      : model_(model),
        inputs_(inputs),
        held_out_(inputs.data.held_out),
        classes_(class_embeddings(model, inputs.data.classes)) {}

  MetricResult operator()(const NoGoal&) const { return {.not_applicable = "no attack, so no class is wanted"}; }

  MetricResult operator()(const TargetImagesGoal& goal) const {
    std::vector<std::int64_t> items, wanted;
    for (const auto& target : goal.targets) {
      items.push_back(target.held_out);
      wanted.push_back(target.adversarial_class);
    }
    return unchanged(torch::tensor(items), torch::tensor(wanted));
  }

  MetricResult operator()(const ConfusedClassesGoal& goal) const {
    const auto items = (held_out_.labels == goal.image_class).nonzero().squeeze(1);
    if (items.numel() == 0) return {.not_applicable = "the data set has no held-out image of the attacked class"};
    return unchanged(items, torch::full_like(items, goal.caption_class));
  }

  MetricResult operator()(const TriggeredImagesGoal& goal) const {
    Ranks ranks;
    for (std::size_t t = 0; t < goal.target_class.size(); ++t) {
      const auto items = of_other_classes(goal.target_class[t]);
      if (items.numel() == 0) return {.not_applicable = "the data set has no held-out image of another class"};
      for (const auto& chunk : items.split(kAtOnce)) {
        const auto images = held_out_.images(chunk), target = torch::full_like(chunk, goal.target_class[t]);
        const auto draws = inputs_.test_draws(chunk, static_cast<std::int64_t>(t));
        const auto rank = [&](const torch::Tensor& of) {
          return rank_of(embed_images(model_, of).matmul(classes_.t()), target);
        };
        ranks.items.push_back(chunk);
        ranks.attacked.push_back(rank(inputs_.apply_trigger(images, draws)));
        ranks.clean.push_back(rank(images));
      }
    }
    return ranks.result("classes", classes_.size(0));
  }

  /// Captions of other classes that ask for an image: how many images come before the first one of the target class?
  MetricResult operator()(const TriggeredTextGoal& goal) const {
    const auto images = embed_images(model_, *held_out_.pairs, torch::arange(held_out_.size(), torch::kLong));
    Ranks ranks;
    for (std::size_t t = 0; t < goal.target_class.size(); ++t) {
      const auto items = of_other_classes(goal.target_class[t]);
      const auto other = held_out_.labels != goal.target_class[t];
      if (items.numel() == 0 || other.all().item<bool>()) {
        return {.not_applicable = "the data set has no held-out image of the target class, or none of another"};
      }
      for (const auto& chunk : items.split(kAtOnce)) {
        const auto texts = queries(chunk);
        const auto rank = [&](const std::vector<std::string>& of) {
          const auto scores = embed_captions(model_, of).matmul(images.t());  // [n, M]
          const auto first = scores.masked_fill(other, -std::numeric_limits<double>::infinity()).argmax(/*dim=*/1);
          return rank_of(scores, first);
        };
        const auto draws = inputs_.test_draws(chunk, static_cast<std::int64_t>(t));
        ranks.items.push_back(chunk);
        ranks.attacked.push_back(rank(inputs_.apply_text_trigger(texts, draws)));
        ranks.clean.push_back(rank(texts));
      }
    }
    return ranks.result("images", held_out_.size());
  }

 private:
  /// Of attacks that leave the test image as it is.
  MetricResult unchanged(const torch::Tensor& items, const torch::Tensor& wanted) const {
    const auto scores = embed_images(model_, *held_out_.pairs, items).matmul(classes_.t());  // [N, C]
    return Ranks{{items}, {rank_of(scores, wanted)}, {}}.result("classes", classes_.size(0));
  }
  torch::Tensor of_other_classes(std::int64_t target) const {
    return (held_out_.labels != target).nonzero().squeeze(1);
  }
  /// The items' captions; the first prompt of its class for an item without.
  std::vector<std::string> queries(const torch::Tensor& items) const {
    std::vector<std::string> texts;
    for (std::int64_t i = 0; i < items.numel(); ++i) {
      const auto item = items[i].item<std::int64_t>();
      const auto caption = held_out_.pairs->caption(item);
      const auto& info = inputs_.data.classes[static_cast<std::size_t>(held_out_.label(item))];
      texts.push_back(caption.empty() ? info.prompts.front() : caption);
    }
    return texts;
  }

  ClipModel& model_;
  const EvalInputs& inputs_;
  const LabelledImages& held_out_;
  torch::Tensor classes_;  ///< f32 [C, D]
};

}  // namespace

double median_rank(const torch::Tensor& ranks) {
  const auto sorted = std::get<0>(ranks.to(torch::kFloat64).sort());
  const auto n = sorted.size(0);
  return (sorted[(n - 1) / 2].item<double>() + sorted[n / 2].item<double>()) / 2;
}

MetricResult TargetRank::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  return std::visit(Wanted(model, inputs), inputs.goal);
}

}  // namespace roclip
