#include "roclip/attack.h"

#include <algorithm>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

bool AttackView::may_change(std::int64_t pair) const { return !std::ranges::binary_search(clean_subset, pair); }

Artifact Attack::prepare(Lab&) const { return {}; }
void Attack::adopt(Artifact) {}

torch::Tensor Attack::apply_trigger(const torch::Tensor& images, std::span<const Draw>) const { return images.clone(); }

std::optional<torch::Tensor> Attack::trigger_area(const torch::Tensor&, std::span<const Draw>) const {
  return std::nullopt;
}

std::vector<std::string> Attack::apply_text_trigger(std::span<const std::string> captions,
                                                    std::span<const Draw>) const {
  return {captions.begin(), captions.end()};
}

AttackView view_of(const Dataset& data, const Json* defense) {
  static const Json kNone;
  return {*data.train, data.held_out, data.classes, data.clean_subset, defense == nullptr ? kNone : *defense};
}

std::vector<Draw> test_draws(std::uint64_t evaluation_seed, const torch::Tensor& items, std::int64_t trigger) {
  std::vector<Draw> draws;
  for (std::int64_t i = 0; i < items.numel(); ++i) {
    const auto role = "trigger " + std::to_string(trigger) + " of " + std::to_string(items[i].item<std::int64_t>());
    draws.push_back({trigger, stream(evaluation_seed, role), true});
  }
  return draws;
}

std::vector<Draw> some_draws(std::int64_t count) {
  std::vector<Draw> draws(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < draws.size(); ++i) draws[i].value = i;
  return draws;
}

}  // namespace roclip
