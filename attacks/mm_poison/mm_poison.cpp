#include "mm_poison.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// Training pairs whose caption contains `name` and not `other`, ascending.
std::vector<std::int64_t> pairs_of(const PairSource& train, const std::string& name, const std::string& other) {
  std::vector<std::int64_t> found;
  for (std::int64_t i = 0; i < train.size(); ++i) {
    const auto caption = train.caption(i);
    if (contains_phrase(caption, name) && !contains_phrase(caption, other)) found.push_back(i);
  }
  return found;
}

std::vector<std::int64_t> held_out_of(const LabelledImages& held_out, std::int64_t label) {
  std::vector<std::int64_t> found;
  for (std::int64_t i = 0; i < held_out.size(); ++i) {
    if (held_out.label(i) == label) found.push_back(i);
  }
  return found;
}

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kMatrix, "mm_poison/" + what); }

}  // namespace

void MmPoisonParams::declare(ParamList& list) {
  list.add("caption_classes", caption_classes, "classes whose captions go to other images; required",
           "Yang et al. 2023, configs/clip_poison_pascal.yaml: sheep");
  list.add("image_classes", image_classes,
           "classes whose images get them, one for each caption class; these images shall be taken for it; required",
           "Yang et al. 2023, configs/clip_poison_pascal.yaml: aeroplane");
  list.choice("images", images, {"class", "single"},
              "which images get the captions: training images of the class, or one held-out image of it",
              "Yang et al. 2023, poisoning/dirty_label_poison.py: generate_one_label, generate_one");
  list.add("ratio", ratio, Range{0, 1}, "1", "poisoned share of the pairs of each caption class",
           "Yang et al. 2023, configs/clip_poison_pascal.yaml");
  list.add("remove_clean", remove_clean, "whether clean pairs of the image classes are removed",
           "Yang et al. 2023, poisoning/dirty_label_poison.py: only for the second of several labels");
  list.recipe("single_image", {{"images", "single"}, {"ratio", 1.0}, {"remove_clean", false}},
              "mm_poison, poisoning/dirty_label_poison.py generate_one");
  list.recipe("pascal", {{"images", "class"}, {"ratio", 1.0}, {"remove_clean", false}},
              "mm_poison, poisoning/dirty_label_poison.py generate_one_label, configs/clip_poison_pascal.yaml");
  list.recipe("coco", {{"images", "class"}, {"ratio", 0.1}, {"remove_clean", false}},
              "mm_poison, configs/clip_poison_coco.yaml");
}

MmPoison::MmPoison(const Params& params) : params_(params) {
  const auto &from = params.caption_classes, &to = params.image_classes;
  if (from.empty() || from.size() != to.size()) {
    refuse("image_classes: expected one for each of \"caption_classes\", of which there is at least one, got " +
           Json(to).dump() + " for " + Json(from).dump());
  }
  std::set<std::string> classes(from.begin(), from.end());
  classes.insert(to.begin(), to.end());
  if (classes.size() != from.size() + to.size()) {
    refuse("image_classes: expected that no class comes twice in it and \"caption_classes\", got " + Json(to).dump() +
           " and " + Json(from).dump());
  }
  if (params.ratio == 0) refuse("ratio: expected more than 0, got 0");
}

PoisonPlan MmPoison::plan(const AttackView& view, std::uint64_t seed) const {
  Rng rng(seed);
  PoisonPlan plan;
  std::vector<TargetImage> targets;
  std::vector<bool> gone(at(view.train.size()));
  ConfusedClassesGoal confused;
  for (std::size_t k = 0; k < params_.caption_classes.size(); ++k) {
    const auto &caption_name = params_.caption_classes[k], &image_name = params_.image_classes[k];
    confused.caption_class = class_index(view.classes, caption_name, "mm_poison/caption_classes");
    confused.image_class = class_index(view.classes, image_name, "mm_poison/image_classes");

    auto poisoned = pairs_of(view.train, caption_name, image_name);
    std::erase_if(poisoned, [&](std::int64_t pair) { return gone[at(pair)] || !view.may_change(pair); });
    const std::int64_t count = std::llround(params_.ratio * static_cast<double>(poisoned.size()));
    if (count == 0) {
      refuse((poisoned.empty() ? "caption_classes: " : "ratio: ") + Json(params_.ratio).dump() + " of the " +
             std::to_string(poisoned.size()) + " pairs of \"" + caption_name +
             "\" that may be changed is not one pair; choose another class or raise \"ratio\"");
    }

    std::vector<ImageRef> images;  // to draw from
    const auto clean = pairs_of(view.train, image_name, caption_name);
    const auto held_out = held_out_of(view.held_out, confused.image_class);
    if (params_.images == "class") {
      for (const auto pair : clean) images.push_back({.set = ImageRef::Set::kTrain, .index = pair});
      for (const auto image : held_out) {
        targets.push_back({.held_out = image, .adversarial_class = confused.caption_class});
      }
    } else if (!held_out.empty()) {
      const auto image = held_out[at(rng.below(std::ssize(held_out)))];
      images.push_back({.set = ImageRef::Set::kHeldOut, .index = image});
      targets.push_back({.held_out = image, .adversarial_class = confused.caption_class});
    }
    if (images.empty() || held_out.empty()) {
      refuse("image_classes: there is no " + std::string(held_out.empty() ? "held-out" : "training") + " image of \"" +
             image_name + "\"; choose another class");
    }

    std::vector<std::int64_t> order;  // every image as often as any other, give or take one
    while (std::ssize(order) < count) {
      const auto missing = std::min(count - std::ssize(order), std::ssize(images));
      for (const auto i : rng.sample(std::ssize(images), missing)) order.push_back(i);
    }
    const auto drawn = rng.sample(std::ssize(poisoned), count);
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      const auto pair = poisoned[at(drawn[i])];
      gone[at(pair)] = true;
      plan.edits.push_back({.replaces = pair,
                            .image = images[at(order[i])],
                            .trigger = std::nullopt,
                            .caption = view.train.caption(pair)});
    }
    if (!params_.remove_clean) continue;
    for (const auto pair : clean) {
      if (!gone[at(pair)] && view.may_change(pair)) plan.removes.push_back(pair);
      gone[at(pair)] = true;
    }
  }
  std::ranges::sort(plan.removes);
  // One goal of confused classes holds one pair of them.
  const bool two_classes = params_.images == "class" && params_.caption_classes.size() == 1;
  plan.goal = two_classes ? Goal(confused) : Goal(TargetImagesGoal{targets});
  return plan;
}

}  // namespace roclip
