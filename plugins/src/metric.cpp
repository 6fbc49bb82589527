#include "roclip/metric.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

torch::Tensor EvalInputs::clean_indices() const {
  auto keep = torch::ones({data.held_out.size()}, torch::kBool);
  if (const auto* goal_images = std::get_if<TargetImagesGoal>(&goal)) {
    for (const auto& target : goal_images->targets) keep[target.held_out] = false;
  }
  return keep.nonzero().squeeze(1);
}

std::vector<AttackedImages> EvalInputs::attacked_images() const {
  const auto& labels = data.held_out.labels;
  std::vector<AttackedImages> attacked;
  const auto add = [&](const torch::Tensor& mask, std::int64_t wanted, std::optional<std::int64_t> trigger) {
    const auto items = mask.nonzero().squeeze(1);
    if (items.numel() > 0) attacked.push_back({items, torch::full_like(items, wanted), trigger});
  };
  if (const auto* targeted = std::get_if<TargetImagesGoal>(&goal)) {
    std::vector<std::int64_t> items, wanted;
    for (const auto& target : targeted->targets) {
      items.push_back(target.held_out);
      wanted.push_back(target.adversarial_class);
    }
    if (!items.empty()) attacked.push_back({torch::tensor(items), torch::tensor(wanted), std::nullopt});
  } else if (const auto* confused = std::get_if<ConfusedClassesGoal>(&goal)) {
    add(labels == confused->image_class, confused->caption_class, std::nullopt);
  } else if (const auto* triggered = std::get_if<TriggeredImagesGoal>(&goal)) {
    for (std::int64_t t = 0; t < std::ssize(triggered->target_class); ++t) {
      const auto wanted = triggered->target_class[static_cast<std::size_t>(t)];
      add(labels != wanted, wanted, t);
    }
  }
  return attacked;
}

torch::Tensor EvalInputs::as_attacked(const AttackedImages& attacked, const torch::Tensor& items) const {
  const auto images = data.held_out.images(items);
  return attacked.trigger ? apply_trigger(images, test_draws(items, *attacked.trigger)) : images;
}

torch::Tensor EvalInputs::attacked_classes(ClipModel& model, const AttackedImages& attacked) const {
  const auto* triggered = std::get_if<TriggeredImagesGoal>(&goal);
  if (triggered == nullptr || !triggered->triggered_prompts) return class_embeddings(model, data.classes);
  return triggered_classes(model, *attacked.trigger);
}

torch::Tensor EvalInputs::triggered_classes(ClipModel& model, std::int64_t trigger) const {
  auto classes = data.classes;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    auto& prompts = classes[c].prompts;
    const auto draw = test_draws(torch::tensor({static_cast<std::int64_t>(c)}), trigger).front();
    prompts = apply_text_trigger(prompts, std::vector(prompts.size(), draw));
  }
  return class_embeddings(model, classes);
}

void Count::add(std::int64_t item, bool hit) {
  items.push_back(item);
  outcomes.push_back(hit ? 1 : 0);
  hits += hit ? 1 : 0;
  trials += 1;
}

torch::Tensor rank_of(const torch::Tensor& scores, const torch::Tensor& own) {
  if (!scores.isfinite().all().item<bool>()) throw Diverged("the scores of the trained model are not finite numbers");
  const auto column = own.unsqueeze(1);                               // [N, 1]
  const auto value = scores.gather(/*dim=*/1, column);                // [N, 1]
  const auto columns = torch::arange(scores.size(1), own.options());  // [C]
  const auto before = (scores > value) | ((scores == value) & (columns < column));
  return before.sum(/*dim=*/1);
}

Count hits_at(std::int64_t k, std::string name, const torch::Tensor& items, const torch::Tensor& ranks) {
  Count count;
  count.name = std::move(name);
  const auto item = items.accessor<std::int64_t, 1>(), rank = ranks.accessor<std::int64_t, 1>();
  for (std::int64_t i = 0; i < item.size(0); ++i) count.add(item[i], rank[i] < k);
  return count;
}

}  // namespace roclip
