#include "roclip/backdoor.h"

#include <algorithm>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

void PoisonAmount::declare(ParamList& list, const std::string& rate_source, const std::string& count_source) {
  list.add("rate", rate, Range{0, 1}, "1", "poisoned share of the training pairs; set this or count", rate_source);
  list.add("count", count, Range{0, 1e9}, "pairs", "number of poisoned pairs; set this or rate", count_source);
}

void PoisonAmount::check(const std::string& attack) const {
  if ((rate > 0) != (count > 0)) return;
  throw Error(ErrorKind::kMatrix, attack + ": set exactly one of \"rate\" (got " + Json(rate).dump() +
                                      ") and \"count\" (got " + std::to_string(count) + ")");
}

std::int64_t PoisonAmount::pairs(std::int64_t training_pairs, std::int64_t candidates, const std::string& attack,
                                 const std::string& which) const {
  const std::string key = count > 0 ? "count" : "rate";
  const auto wanted = count > 0 ? count : std::llround(rate * static_cast<double>(training_pairs));
  if (wanted == 0) {
    throw Error(ErrorKind::kMatrix, attack + "/rate: " + Json(rate).dump() + " of " + std::to_string(training_pairs) +
                                        " training pairs is not one pair; raise \"rate\" or set \"count\" instead");
  }
  if (wanted > candidates) {
    throw Error(ErrorKind::kMatrix, attack + "/" + key + ": " + std::to_string(wanted) + " pairs to poison, but only " +
                                        std::to_string(candidates) + " " + which + "; lower \"" + key +
                                        "\" or choose another class");
  }
  return wanted;
}

void PatchSize::declare(ParamList& list, const std::string& source) {
  list.add("patch_px", patch_px, Range{0, 1024}, "px",
           "side of the square patch, at the resolution of the model; 0: patch_px_of_224 decides",
           "larger than published, since 2 of 32 px would be lost; " + source);
  list.add("patch_px_of_224", patch_px_of_224, Range{1, 224}, "px",
           "side of the patch on an image of 224 px, scaled to the image, at least 4 px; used where patch_px is 0",
           source);
}

std::int64_t PatchSize::side(std::int64_t image_px, const std::string& attack) const {
  constexpr std::int64_t kLeastPx = 4;
  if (patch_px > image_px) {
    throw Error(ErrorKind::kMatrix, attack + "/patch_px: " + std::to_string(patch_px) + " does not fit on images of " +
                                        std::to_string(image_px) + " x " + std::to_string(image_px) +
                                        " px; lower \"patch_px\"");
  }
  if (patch_px > 0) return patch_px;
  const auto scaled = (2 * patch_px_of_224 * image_px + 224) / 448;  // rounded
  return std::min(std::max(scaled, kLeastPx), image_px);
}

torch::Tensor centre_square(const torch::Tensor& planes, std::int64_t side) {
  const auto first = (planes.size(-1) - side) / 2;
  return planes.narrow(/*dim=*/-2, first, side).narrow(/*dim=*/-1, first, side);
}

torch::Tensor centre_area(const torch::Tensor& images, std::int64_t side) {
  auto area = torch::zeros({images.size(0), images.size(2), images.size(3)}, torch::kBool);
  centre_square(area, side).fill_(true);
  return area;
}

PairsByClass pairs_by_class(const AttackView& view, const std::string& class_name) {
  PairsByClass pairs;
  for (std::int64_t i = 0; i < view.train.size(); ++i) {
    auto caption = view.train.caption(i);
    const bool of_class = contains_phrase(caption, class_name);
    if (view.may_change(i)) (of_class ? pairs.of_class : pairs.of_others).push_back(i);
    (of_class ? pairs.captions_of_class : pairs.captions_of_others).push_back(std::move(caption));
  }
  return pairs;
}

std::vector<std::string> captions_for(const ClassInfo& target, const PairsByClass& pairs, const std::string& choice,
                                      const std::string& attack) {
  if (choice == "templates") return target.prompts;
  if (!pairs.captions_of_class.empty()) return pairs.captions_of_class;
  throw Error(ErrorKind::kMatrix, attack + "/target_class: no training caption contains \"" + target.name +
                                      "\"; choose another class or set \"captions\": \"templates\"");
}

PoisonPlan relabel_pairs(const AttackView& view, std::uint64_t seed, const std::string& target_class,
                         const std::string& captions, const PoisonAmount& amount, const std::string& attack) {
  const auto target = class_index(view.classes, target_class, attack + "/target_class");
  const auto pairs = pairs_by_class(view, target_class);
  const auto choices = captions_for(view.classes[static_cast<std::size_t>(target)], pairs, captions, attack);
  const auto& candidates = pairs.of_others;
  const auto count =
      amount.pairs(view.train.size(), std::ssize(candidates), attack, "pairs of other classes may be changed");
  Rng rng(seed), draws(stream(seed, "draws"));
  PoisonPlan plan;
  plan.goal = TriggeredImagesGoal{{target}};
  for (const auto i : rng.sample(std::ssize(candidates), count)) {
    const auto pair = candidates[static_cast<std::size_t>(i)];
    plan.edits.push_back({.replaces = pair,
                          .image = {.set = ImageRef::Set::kTrain, .index = pair},
                          .trigger = Draw{.value = draws.next()},
                          .caption = choices[static_cast<std::size_t>(rng.below(std::ssize(choices)))]});
  }
  return plan;
}

}  // namespace roclip
