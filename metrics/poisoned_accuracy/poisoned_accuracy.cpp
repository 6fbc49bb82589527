#include "poisoned_accuracy.h"

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

constexpr std::int64_t kAtOnce = 1024;  // images; a stamped copy of a whole test set may not fit in memory

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

}  // namespace

MetricResult PoisonedAccuracy::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  const auto attacked = inputs.attacked_images();
  if (attacked.empty()) return {.not_applicable = "the attack attacks no held-out image"};
  const auto& held_out = inputs.data.held_out;
  const auto plain = class_embeddings(model, inputs.data.classes);
  Outcomes as_attacked, clean;
  for (const auto& part : attacked) {
    const auto classes = inputs.attacked_classes(model, part);
    for (const auto& chunk : part.items.split(kAtOnce)) {
      const auto own = held_out.labels.index_select(0, chunk);
      const auto ranks = [&](const torch::Tensor& images, const torch::Tensor& among) {
        return rank_of(embed_images(model, images).matmul(among.t()), own);
      };
      as_attacked.add(chunk, ranks(inputs.as_attacked(part, chunk), classes));
      if (part.trigger) clean.add(chunk, ranks(held_out.images(chunk), plain));
    }
  }
  MetricResult result{.counts = {as_attacked.hits_at(1, "top1"), as_attacked.hits_at(5, "top5")}};
  if (!clean.items.empty()) result.counts.push_back(clean.hits_at(1, "clean_top1"));
  return result;
}

}  // namespace roclip
