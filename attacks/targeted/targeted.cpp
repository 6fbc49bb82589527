#include "targeted.h"

#include <algorithm>
#include <span>
#include <unordered_map>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

using CaptionLists = std::vector<std::vector<std::int64_t>>;  ///< one per class

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// The classes that the parameters list, one after the other and again from the front, until there are `targets`.
std::vector<std::int64_t> listed_classes(const TargetedParams& params, const std::vector<ClassInfo>& classes,
                                         const CaptionLists& captions) {
  if (std::ssize(params.classes) > params.targets) {
    throw Error(ErrorKind::kMatrix, "targeted/classes: " + std::to_string(params.classes.size()) +
                                        " classes for \"targets\": " + std::to_string(params.targets) +
                                        "; raise \"targets\" or list fewer classes");
  }
  std::vector<std::int64_t> listed;
  for (const auto& name : params.classes) {
    const auto index = class_index(classes, name, "targeted/classes");
    if (std::ssize(captions[at(index)]) < params.captions) {
      throw Error(ErrorKind::kMatrix, "targeted/captions: " + std::to_string(params.captions) + " wanted, but only " +
                                          std::to_string(captions[at(index)].size()) + " training captions contain \"" +
                                          name + "\"; lower \"captions\" or take this class out of \"classes\"");
    }
    listed.push_back(index);
  }
  std::vector<std::int64_t> chosen;
  for (std::size_t i = 0; std::ssize(chosen) < params.targets; ++i) chosen.push_back(listed[i % listed.size()]);
  return chosen;
}

/// Random classes with enough captions; none comes again before all have come.
std::vector<std::int64_t> drawn_classes(const TargetedParams& params, const CaptionLists& captions, Rng& rng) {
  std::vector<std::int64_t> eligible;
  std::size_t most = 0;
  for (std::size_t i = 0; i < captions.size(); ++i) {
    if (std::ssize(captions[i]) >= params.captions) eligible.push_back(static_cast<std::int64_t>(i));
    most = std::max(most, captions[i].size());
  }
  if (eligible.empty()) {
    throw Error(ErrorKind::kMatrix, "targeted/captions: no class name is contained in " +
                                        std::to_string(params.captions) + " training captions (at most in " +
                                        std::to_string(most) + "); lower \"captions\"");
  }
  std::vector<std::int64_t> chosen;
  while (std::ssize(chosen) < params.targets) {
    const auto left = std::min(std::ssize(eligible), params.targets - std::ssize(chosen));
    for (const auto i : rng.sample(std::ssize(eligible), left)) chosen.push_back(eligible[at(i)]);
  }
  return chosen;
}

/// For each class, a random held-out image of another class; no image twice.
std::vector<TargetImage> draw_images(const std::vector<std::int64_t>& adversarial, const LabelledImages& held_out,
                                     Rng& rng) {
  if (std::ssize(adversarial) > held_out.size()) {
    throw Error(ErrorKind::kMatrix, "targeted/targets: " + std::to_string(adversarial.size()) +
                                        " wanted, but there are only " + std::to_string(held_out.size()) +
                                        " held-out images; lower \"targets\"");
  }
  const auto labels = held_out.labels.accessor<std::int64_t, 1>();
  std::vector<bool> used(at(labels.size(0)));
  std::vector<TargetImage> targets;
  for (const auto wanted : adversarial) {
    std::vector<std::int64_t> candidates;
    for (std::int64_t i = 0; i < labels.size(0); ++i) {
      if (!used[at(i)] && labels[i] != wanted) candidates.push_back(i);
    }
    if (candidates.empty()) {
      throw Error(ErrorKind::kMatrix, "targeted/targets: after " + std::to_string(targets.size()) +
                                          " targets every held-out image left is of the adversarial class itself; "
                                          "lower \"targets\" or list other \"classes\"");
    }
    const auto image = candidates[at(rng.below(std::ssize(candidates)))];
    used[at(image)] = true;
    targets.push_back({.held_out = image, .adversarial_class = wanted});
  }
  return targets;
}

}  // namespace

void TargetedParams::declare(ParamList& list) {
  list.add("targets", targets, Range{1, 1e6}, "images", "held-out images to have misclassified",
           "RoCLIP: 93.75 % and 12.5 % are sixteenths");
  list.add("captions", captions, Range{1, 1e6}, "pairs", "poisoned pairs added for each target image",
           "RoCLIP dev logs: 15 to 100");
  list.add("classes", classes,
           "adversarial classes, taken in turn; empty: drawn at random, none twice before all have come",
           "RoCLIP create_poison.ipynb");
}

std::vector<std::vector<std::int64_t>> captions_by_class(const PairSource& pairs,
                                                         const std::vector<ClassInfo>& classes) {
  std::vector<std::vector<std::string>> phrases;
  std::unordered_map<std::string, std::vector<std::size_t>> starting_with;  // first word -> classes
  for (const auto& info : classes) {
    phrases.push_back(words(info.name));
    if (!phrases.back().empty()) starting_with[phrases.back().front()].push_back(phrases.size() - 1);
  }
  CaptionLists found(classes.size());
  for (std::int64_t index = 0; index < pairs.size(); ++index) {
    const auto text = words(pairs.caption(index));
    for (std::size_t position = 0; position < text.size(); ++position) {
      const auto candidates = starting_with.find(text[position]);
      if (candidates == starting_with.end()) continue;
      const auto rest = std::span(text).subspan(position);
      for (const std::size_t c : candidates->second) {
        const bool listed = !found[c].empty() && found[c].back() == index;
        const auto length = phrases[c].size();
        if (!listed && length <= rest.size() && std::ranges::equal(phrases[c], rest.first(length))) {
          found[c].push_back(index);
        }
      }
    }
  }
  return found;
}

PoisonPlan Targeted::plan(const AttackView& view, std::uint64_t seed) const {
  const auto captions = captions_by_class(view.train, view.classes);
  Rng rng(seed);
  const auto adversarial =
      params_.classes.empty() ? drawn_classes(params_, captions, rng) : listed_classes(params_, view.classes, captions);
  PoisonPlan plan;
  const auto targets = draw_images(adversarial, view.held_out, rng);
  for (const auto& target : targets) {
    const auto& pool = captions[at(target.adversarial_class)];
    for (const auto i : rng.sample(std::ssize(pool), params_.captions)) {
      plan.edits.push_back({.replaces = std::nullopt,
                            .image = {.set = ImageRef::Set::kHeldOut, .index = target.held_out},
                            .trigger = std::nullopt,
                            .caption = view.train.caption(pool[at(i)])});
    }
  }
  plan.goal = TargetImagesGoal{targets};
  return plan;
}

}  // namespace roclip
