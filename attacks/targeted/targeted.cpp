#include "targeted.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <unordered_map>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

using CaptionLists = std::vector<std::vector<std::int64_t>>;  ///< one per class or label

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// What a target image shall be taken for, and the training captions that say so.
struct Aim {
  std::int64_t adversarial_class = 0;
  std::vector<std::int64_t> captions = {};
};
struct Aims {
  std::vector<Aim> all;
  std::vector<std::int64_t> of_targets;  ///< which one each target has
};

/// "banana|plantain": the class, and further labels of it. A class whose name has a bar is one label.
std::vector<std::string> labels_of(const std::string& entry, const std::vector<ClassInfo>& classes) {
  if (std::ranges::find(classes, entry, &ClassInfo::name) != classes.end()) return {entry};
  std::vector<std::string> labels(1);
  for (const char c : entry) {
    if (c == '|') {
      labels.emplace_back();
    } else {
      labels.back() += c;
    }
  }
  class_index(classes, labels.front(), "targeted/classes");
  for (const auto& label : labels) {
    if (!words(label).empty()) continue;
    throw Error(ErrorKind::kMatrix,
                "targeted/classes: expected a class and labels of letters or digits, with | between "
                "them, got " +
                    Json(entry).dump());
  }
  return labels;
}

/// The aims that the parameters list, one after the other and again from the front, until there are `targets`.
Aims listed_aims(const TargetedParams& params, const AttackView& view) {
  if (std::ssize(params.classes) > params.targets) {
    throw Error(ErrorKind::kMatrix, "targeted/classes: " + std::to_string(params.classes.size()) +
                                        " classes for \"targets\": " + std::to_string(params.targets) +
                                        "; raise \"targets\" or list fewer classes");
  }
  std::vector<ClassInfo> labels;
  std::vector<std::size_t> ends;  // of the labels of each entry
  for (const auto& entry : params.classes) {
    for (const auto& label : labels_of(entry, view.classes)) labels.push_back({label, {}});
    ends.push_back(labels.size());
  }
  const auto captions = captions_by_class(view.train, labels);
  Aims aims;
  for (std::size_t i = 0, label = 0; i < ends.size(); ++i) {
    Aim aim{.adversarial_class = class_index(view.classes, labels[label].name, "targeted/classes")};
    for (; label < ends[i]; ++label) {
      std::vector<std::int64_t> both;
      std::ranges::set_union(aim.captions, captions[label], std::back_inserter(both));
      aim.captions = std::move(both);
    }
    if (std::ssize(aim.captions) < params.captions) {
      throw Error(ErrorKind::kMatrix, "targeted/captions: " + std::to_string(params.captions) + " wanted, but only " +
                                          std::to_string(aim.captions.size()) + " training captions contain \"" +
                                          params.classes[i] +
                                          "\"; lower \"captions\" or take this class out of \"classes\"");
    }
    aims.all.push_back(std::move(aim));
  }
  for (std::int64_t i = 0; i < params.targets; ++i) aims.of_targets.push_back(i % std::ssize(aims.all));
  return aims;
}

/// Random classes with enough captions; none comes again before all have come.
Aims drawn_aims(const TargetedParams& params, const AttackView& view, Rng& rng) {
  Aims aims;
  std::vector<std::int64_t> eligible;
  std::size_t most = 0;
  for (auto& captions : captions_by_class(view.train, view.classes)) {
    const auto label = std::ssize(aims.all);
    if (std::ssize(captions) >= params.captions) eligible.push_back(label);
    most = std::max(most, captions.size());
    aims.all.push_back({.adversarial_class = label, .captions = std::move(captions)});
  }
  if (eligible.empty()) {
    throw Error(ErrorKind::kMatrix, "targeted/captions: no class name is contained in " +
                                        std::to_string(params.captions) + " training captions (at most in " +
                                        std::to_string(most) + "); lower \"captions\"");
  }
  auto& drawn = aims.of_targets;
  while (std::ssize(drawn) < params.targets) {
    const auto left = std::min(std::ssize(eligible), params.targets - std::ssize(drawn));
    for (const auto i : rng.sample(std::ssize(eligible), left)) drawn.push_back(eligible[at(i)]);
  }
  return aims;
}

/// For each target, random held-out images of one class that is not the adversarial one; no image twice.
std::vector<TargetImage> draw_images(const TargetedParams& params, const Aims& aims, const LabelledImages& held_out,
                                     Rng& rng) {
  const auto each = params.images_per_target;
  const auto images = each == 1 ? "" : " of " + std::to_string(each) + " images";
  if (params.targets > held_out.size() / each) {
    throw Error(ErrorKind::kMatrix, "targeted/targets: " + std::to_string(params.targets) + images +
                                        " wanted, but there are only " + std::to_string(held_out.size()) +
                                        " held-out images; lower \"targets\"");
  }
  const auto labels = held_out.labels.accessor<std::int64_t, 1>();
  std::vector<bool> used(at(labels.size(0)));
  std::map<std::int64_t, std::int64_t> left;  // unused images of each class
  for (std::int64_t i = 0; i < labels.size(0); ++i) ++left[labels[i]];
  std::vector<TargetImage> targets;
  for (const auto which : aims.of_targets) {
    const auto adversarial = aims.all[at(which)].adversarial_class;
    std::vector<std::int64_t> candidates;
    for (std::int64_t i = 0; i < labels.size(0); ++i) {
      if (!used[at(i)] && labels[i] != adversarial && left[labels[i]] >= each) candidates.push_back(i);
    }
    if (candidates.empty()) {
      throw Error(ErrorKind::kMatrix, "targeted/targets: after " + std::to_string(std::ssize(targets) / each) +
                                          " targets" + images +
                                          " every held-out image left is of the adversarial class itself" +
                                          (each == 1 ? "" : " or of one with too few images") +
                                          "; lower \"targets\" or list other \"classes\"");
    }
    std::vector<std::int64_t> drawn = {candidates[at(rng.below(std::ssize(candidates)))]};
    const auto label = labels[drawn.front()];
    std::erase_if(candidates, [&](std::int64_t i) { return labels[i] != label || i == drawn.front(); });
    for (const auto i : rng.sample(std::ssize(candidates), each - 1)) drawn.push_back(candidates[at(i)]);
    left[label] -= each;
    for (const auto image : drawn) {
      used[at(image)] = true;
      targets.push_back({.held_out = image, .adversarial_class = adversarial});
    }
  }
  return targets;
}

/// The training pairs that show one of the target images, pixel for pixel, and may be removed; ascending.
std::vector<std::int64_t> duplicates_of(const std::vector<TargetImage>& targets, const AttackView& view) {
  const auto px = view.train.image_px();
  std::string pixels(at(3 * px * px), '\0');
  const auto read = [&](const PairSource& pairs, std::int64_t index) -> const std::string& {
    pairs.read_image(index, reinterpret_cast<std::uint8_t*>(pixels.data()));
    return pixels;
  };
  std::set<std::string> images;
  for (const auto& target : targets) images.insert(read(*view.held_out.pairs, target.held_out));
  std::vector<std::int64_t> found;
  for (std::int64_t i = 0; i < view.train.size(); ++i) {
    if (view.may_change(i) && images.contains(read(view.train, i))) found.push_back(i);
  }
  return found;
}

}  // namespace

void TargetedParams::declare(ParamList& list) {
  list.add("targets", targets, Range{1, 1e6}, "images", "held-out images to have misclassified",
           "RoCLIP: 93.75 % and 12.5 % are sixteenths");
  list.add("captions", captions, Range{1, 1e6}, "pairs", "poisoned pairs added for each target image",
           "RoCLIP dev logs: 15 to 100");
  list.add("classes", classes,
           "adversarial classes, taken in turn, each with further labels behind a bar if it has some "
           "(banana|plantain); empty: drawn at random, none twice before all have come",
           "RoCLIP create_poison.ipynb");
  list.add("images_per_target", images_per_target, Range{1, 1e6}, "images",
           "held-out images of one class that make up a target, each added with captions of its own",
           "Carlini and Terzis 2021: one; a RoCLIP dev log names a run with two, as it seems");
  list.add("remove_duplicates", remove_duplicates,
           "whether training pairs that show a target image, pixel for pixel, are removed",
           "off in RoCLIP create_poison.ipynb; on in Detect-CLIP-Backdoor-Samples datasets/cc3m.py:257-300");
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
  Rng rng(seed);
  const auto aims = params_.classes.empty() ? drawn_aims(params_, view, rng) : listed_aims(params_, view);
  PoisonPlan plan;
  const auto targets = draw_images(params_, aims, view.held_out, rng);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto& pool = aims.all[at(aims.of_targets[i / at(params_.images_per_target)])].captions;
    for (const auto caption : rng.sample(std::ssize(pool), params_.captions)) {
      plan.edits.push_back({.replaces = std::nullopt,
                            .image = {.set = ImageRef::Set::kHeldOut, .index = targets[i].held_out},
                            .trigger = std::nullopt,
                            .caption = view.train.caption(pool[at(caption)])});
    }
  }
  if (params_.remove_duplicates) plan.removes = duplicates_of(targets, view);
  plan.goal = TargetImagesGoal{targets};
  return plan;
}

}  // namespace roclip
