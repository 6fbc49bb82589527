#include "poisoned_accuracy.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr std::int64_t kStampAtOnce = 1024;  // images; a stamped copy of a whole test set may not fit in memory

/// Ranks of the true class, of one list of images after another.
struct Outcomes {
  std::vector<torch::Tensor> items, ranks;

  void add(const torch::Tensor& of_items, const torch::Tensor& of_ranks) {
    items.push_back(of_items);
    ranks.push_back(of_ranks);
  }
  Count hits_at(std::int64_t k, std::string name) const {
    const auto all = torch::cat(items);
    const auto order = std::get<1>(torch::sort(all, /*stable=*/true, /*dim=*/0, /*descending=*/false));
    return roclip::hits_at(k, std::move(name), all.index_select(0, order), torch::cat(ranks).index_select(0, order));
  }
};

/// Accuracy for every kind of goal.
class Accuracy {
 public:
  Accuracy(ClipModel& model, const EvalInputs& inputs)
      : model_(model),
        inputs_(inputs),
        held_out_(inputs.data.held_out),
        classes_(class_embeddings(model, inputs.data.classes)) {}

  MetricResult operator()(const NoGoal&) const { return {.not_applicable = "no attack, so no attacked image"}; }
  MetricResult operator()(const TriggeredTextGoal&) const {
    return {.not_applicable = "the trigger is in the text, so no image is attacked"};
  }

  MetricResult operator()(const TargetImagesGoal& goal) const {
    std::vector<std::int64_t> items;
    for (const auto& target : goal.targets) items.push_back(target.held_out);
    return unchanged(torch::tensor(items));
  }

  MetricResult operator()(const ConfusedClassesGoal& goal) const {
    const auto items = (held_out_.labels == goal.image_class).nonzero().squeeze(1);
    if (items.numel() == 0) return {.not_applicable = "the data set has no held-out image of the attacked class"};
    return unchanged(items);
  }

  MetricResult operator()(const TriggeredImagesGoal& goal) const {
    Outcomes triggered, clean;
    for (std::size_t t = 0; t < goal.target_class.size(); ++t) {
      const auto items = (held_out_.labels != goal.target_class[t]).nonzero().squeeze(1);
      if (items.numel() == 0) return {.not_applicable = "the data set has no held-out image of another class"};
      for (const auto& chunk : items.split(kStampAtOnce)) {
        const auto images = held_out_.images(chunk);
        const auto draws = inputs_.test_draws(chunk, static_cast<std::int64_t>(t));
        clean.add(chunk, ranks(chunk, embed_images(model_, images)));
        triggered.add(chunk, ranks(chunk, embed_images(model_, inputs_.apply_trigger(images, draws))));
      }
    }
    return {.counts = {triggered.hits_at(1, "top1"), triggered.hits_at(5, "top5"), clean.hits_at(1, "clean_top1")}};
  }

 private:
  /// Of attacks that leave the test image as it is.
  MetricResult unchanged(const torch::Tensor& items) const {
    const auto of_true_class = ranks(items, embed_images(model_, *held_out_.pairs, items));
    return {.counts = {hits_at(1, "top1", items, of_true_class), hits_at(5, "top5", items, of_true_class)}};
  }
  torch::Tensor ranks(const torch::Tensor& items, const torch::Tensor& embeddings) const {
    return rank_of(embeddings.matmul(classes_.t()), held_out_.labels.index_select(0, items));
  }

  ClipModel& model_;
  const EvalInputs& inputs_;
  const LabelledImages& held_out_;
  torch::Tensor classes_;  ///< f32 [C, D]
};

}  // namespace

MetricResult PoisonedAccuracy::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  return std::visit(Accuracy(model, inputs), inputs.goal);
}

}  // namespace roclip
