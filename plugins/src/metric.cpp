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
