#include "attack_success.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr std::int64_t kStampAtOnce = 1024;  // images; a stamped copy of a whole test set may not fit in memory

MetricResult targeted_success(ClipModel& model, const EvalInputs& inputs) {
  std::vector<std::int64_t> held_out_of, wanted_of;
  for (const auto& target : inputs.targets) {
    held_out_of.push_back(target.held_out);
    wanted_of.push_back(target.adversarial_class);
  }
  const auto items = torch::tensor(held_out_of), wanted = torch::tensor(wanted_of);
  const auto& held_out = inputs.data.held_out;
  const auto images = embed_images(model, held_out.images.index_select(/*dim=*/0, items));  // [N, D]
  const auto scores = images.matmul(class_embeddings(model, inputs.data.classes).t());      // [N, C]
  const auto ranks = rank_of(scores, wanted), predicted = scores.argmax(/*dim=*/1);

  const auto name = [&](const torch::Tensor& index) {
    return inputs.data.classes[static_cast<std::size_t>(index.item<std::int64_t>())].name;
  };
  Json details = Json::array();
  for (std::int64_t i = 0; i < items.size(0); ++i) {
    details.push_back({{"held_out", items[i].item<std::int64_t>()},
                       {"true_class", name(held_out.labels[items[i]])},
                       {"adversarial_class", name(wanted[i])},
                       {"predicted", name(predicted[i])},
                       {"adversarial_rank", ranks[i].item<std::int64_t>()},
                       {"adversarial_similarity", scores[i][wanted[i]].item<double>()}});
  }
  return {.counts = {hits_at(1, "top1", items, ranks), hits_at(5, "top5", items, ranks)},
          .details = Json{{"targets", details}}.dump()};
}

MetricResult backdoor_success(ClipModel& model, const EvalInputs& inputs) {
  const auto& held_out = inputs.data.held_out;
  const auto items = (held_out.labels != *inputs.target_class).nonzero().squeeze(1);
  if (items.numel() == 0) return {.not_applicable = "the data set has no held-out image of another class"};

  const auto classes = class_embeddings(model, inputs.data.classes);  // [C, D]
  const auto target = torch::full_like(items, *inputs.target_class);
  std::vector<torch::Tensor> clean, triggered;
  for (const auto& chunk : items.split(kStampAtOnce)) {
    const auto images = held_out.images.index_select(/*dim=*/0, chunk);
    clean.push_back(embed_images(model, images));
    triggered.push_back(embed_images(model, inputs.apply_trigger(images)));
  }
  const auto ranks = rank_of(torch::cat(triggered).matmul(classes.t()), target);
  const auto ranks_before = rank_of(torch::cat(clean).matmul(classes.t()), target);
  return {.counts = {hits_at(1, "top1", items, ranks), hits_at(5, "top5", items, ranks),
                     hits_at(1, "clean_as_target", items, ranks_before)},
          .details =
              Json{{"target_class", inputs.data.classes[static_cast<std::size_t>(*inputs.target_class)].name}}.dump()};
}

}  // namespace

MetricResult AttackSuccess::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  if (!inputs.targets.empty()) return targeted_success(model, inputs);
  if (inputs.target_class) return backdoor_success(model, inputs);
  return {.not_applicable = "no attack, so no success to count"};
}

}  // namespace roclip
