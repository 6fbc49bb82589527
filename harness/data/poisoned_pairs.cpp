#include "harness/data/poisoned_pairs.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <variant>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/record/escape.h"

namespace roclip::bench {

namespace {

constexpr const char* kSetNames[] = {"train", "held_out", "artifact"};  // in the order of ImageRef::Set

Json to_json(const ImageRef& image) {
  return {{"set", kSetNames[static_cast<int>(image.set)]}, {"index", image.index}};
}

ImageRef image_from_json(const Json& json) {
  const auto* set = std::ranges::find(kSetNames, json.at("set").get<std::string>());
  if (set == std::end(kSetNames)) throw Error(ErrorKind::kData, "unknown set of images " + json.at("set").dump());
  return {static_cast<ImageRef::Set>(set - kSetNames), json.at("index")};
}

Json to_json(const Goal& goal) {
  Json json = {{"kind", kind_of(goal)}};
  if (const auto* targeted = std::get_if<TargetImagesGoal>(&goal)) {
    json["targets"] = Json::array();
    for (const auto& target : targeted->targets) {
      json["targets"].push_back({{"held_out", target.held_out}, {"adversarial_class", target.adversarial_class}});
    }
  } else if (const auto* classes = target_classes(goal)) {
    json["target_class"] = *classes;
    if (triggers_prompts(goal)) json["triggered_prompts"] = true;
  } else if (const auto* confused = std::get_if<ConfusedClassesGoal>(&goal)) {
    json["image_class"] = confused->image_class;
    json["caption_class"] = confused->caption_class;
  }
  return json;
}

Goal goal_from_json(const Json& json) {
  const auto kind = json.at("kind").get<std::string>();
  const auto classes = [&] { return json.at("target_class").get<std::vector<std::int64_t>>(); };
  if (kind == "none") return NoGoal{};
  if (kind == "triggered_images") return TriggeredImagesGoal{classes(), json.value("triggered_prompts", false)};
  if (kind == "triggered_text") return TriggeredTextGoal{classes()};
  if (kind == "confused_classes") return ConfusedClassesGoal{json.at("image_class"), json.at("caption_class")};
  if (kind != "target_images") throw Error(ErrorKind::kData, "unknown goal \"" + kind + "\"");
  TargetImagesGoal goal;
  for (const auto& target : json.at("targets")) {
    goal.targets.push_back({target.at("held_out"), target.at("adversarial_class")});
  }
  return goal;
}

}  // namespace

std::string_view kind_of(const Goal& goal) {
  constexpr std::string_view kKinds[] = {"none", "target_images", "triggered_images", "triggered_text",
                                         "confused_classes"};  // in the order of Goal's alternatives
  return kKinds[goal.index()];
}

bool triggers_prompts(const Goal& goal) {
  const auto* images = std::get_if<TriggeredImagesGoal>(&goal);
  return images != nullptr ? images->triggered_prompts : std::holds_alternative<TriggeredTextGoal>(goal);
}

const std::vector<std::int64_t>* target_classes(const Goal& goal) {
  if (const auto* images = std::get_if<TriggeredImagesGoal>(&goal)) return &images->target_class;
  const auto* text = std::get_if<TriggeredTextGoal>(&goal);
  return text != nullptr ? &text->target_class : nullptr;
}

std::int64_t trials_of(const Goal& goal, const LabelledImages& held_out) {
  if (const auto* targeted = std::get_if<TargetImagesGoal>(&goal)) return std::ssize(targeted->targets);
  if (const auto* confused = std::get_if<ConfusedClassesGoal>(&goal)) {
    return (held_out.labels == confused->image_class).sum().item<std::int64_t>();
  }
  std::int64_t trials = 0;
  if (const auto* classes = target_classes(goal)) {
    for (const auto label : *classes) trials += (held_out.labels != label).sum().item<std::int64_t>();
  }
  return trials;
}

void check_plan(const PoisonPlan& plan, const AttackView& view) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorKind::kPlugin, "the attack's plan is not valid: " + what);
  };
  const auto check_index = [&](std::int64_t index, std::int64_t size, const std::string& what) {
    if (index >= 0 && index < size) return;
    refuse(what + " " + std::to_string(index) + " is not in [0, " + std::to_string(size) + ")");
  };
  const auto check_class = [&](std::int64_t label, const std::string& what) {
    check_index(label, std::ssize(view.classes), what);
  };
  std::vector<bool> gone(static_cast<std::size_t>(view.train.size()));
  const auto disappears = [&](std::int64_t pair, const std::string& how) {
    check_index(pair, view.train.size(), how + " pair");
    if (gone[static_cast<std::size_t>(pair)]) refuse("pair " + std::to_string(pair) + " is " + how + " twice");
    if (!view.may_change(pair)) {
      refuse("pair " + std::to_string(pair) + " is " + how +
             ", but belongs to the clean subset, which no attack may touch: ask view.may_change()");
    }
    gone[static_cast<std::size_t>(pair)] = true;
  };

  const auto* classes = target_classes(plan.goal);
  for (const auto& [replaces, image, trigger, caption] : plan.edits) {
    if (image.set == ImageRef::Set::kTrain) check_index(image.index, view.train.size(), "train image");
    if (image.set == ImageRef::Set::kHeldOut) check_index(image.index, view.held_out.size(), "held-out image");
    if (!is_utf8(caption)) refuse("a caption is not UTF-8");
    if (trigger && classes != nullptr && !classes->empty()) {
      check_index(trigger->trigger, std::ssize(*classes), "trigger of an edit");
    }
    if (trigger && trigger->test) refuse("an edit's draw says that it is a test");
    if (replaces) disappears(*replaces, "replaced");
  }
  for (const auto pair : plan.removes) disappears(pair, "removed");

  if (const auto* targeted = std::get_if<TargetImagesGoal>(&plan.goal)) {
    std::set<std::int64_t> targets;
    for (const auto& [held_out, adversarial_class] : targeted->targets) {
      check_index(held_out, view.held_out.size(), "target image");
      check_class(adversarial_class, "adversarial class");
      if (!targets.insert(held_out).second) refuse("image " + std::to_string(held_out) + " is a target twice");
    }
    if (targets.empty()) refuse("its goal has no target images");
  } else if (classes != nullptr) {
    if (classes->empty()) refuse("its goal has no target class");
    for (const auto label : *classes) check_class(label, "target class");
  } else if (const auto* confused = std::get_if<ConfusedClassesGoal>(&plan.goal)) {
    check_class(confused->image_class, "image class");
    check_class(confused->caption_class, "caption class");
  }
}

Json manifest(const PoisonPlan& plan) {
  Json edits = Json::array();
  for (const auto& edit : plan.edits) {
    edits.push_back(
        {{"operation", edit.replaces ? "replace" : "add"},
         {"pair", edit.replaces ? Json(*edit.replaces) : Json()},
         {"image", to_json(edit.image)},
         {"trigger", edit.trigger ? Json{{"index", edit.trigger->trigger}, {"draw", edit.trigger->value}} : Json()},
         {"caption", edit.caption}});
  }
  return {{"edits", std::move(edits)}, {"removes", plan.removes}, {"goal", to_json(plan.goal)}};
}

PoisonPlan plan_from_manifest(const Json& json) {
  PoisonPlan plan;
  for (const auto& edit : json.at("edits")) {
    const Json &pair = edit.at("pair"), &trigger = edit.at("trigger");
    plan.edits.push_back(
        {.replaces = pair.is_null() ? std::nullopt : std::optional(pair.get<std::int64_t>()),
         .image = image_from_json(edit.at("image")),
         .trigger = trigger.is_null() ? std::nullopt : std::optional(Draw{trigger.at("index"), trigger.at("draw")}),
         .caption = edit.at("caption")});
  }
  json.at("removes").get_to(plan.removes);
  plan.goal = goal_from_json(json.at("goal"));
  return plan;
}

torch::Tensor clean_image(const Dataset& data, const Artifact& artifact, const ImageRef& image) {
  switch (image.set) {
    case ImageRef::Set::kTrain:
      return data.train->image(image.index);
    case ImageRef::Set::kHeldOut:
      return data.held_out.pairs->image(image.index);
    case ImageRef::Set::kArtifact:
      break;
  }
  const auto images = artifact.find("images");
  const auto px = data.train->image_px();
  if (images == artifact.end() || images->second.scalar_type() != torch::kUInt8 ||
      images->second.sizes().slice(1) != at::IntArrayRef({3, px, px}) || image.index < 0 ||
      image.index >= images->second.size(0)) {
    throw Error(ErrorKind::kPlugin, "the attack's plan is not valid: an edit names image " +
                                        std::to_string(image.index) +
                                        " of the artifact, which has no such row of "
                                        "\"images\", uint8 [N, 3, " +
                                        std::to_string(px) + ", " + std::to_string(px) + "]");
  }
  return images->second[image.index];
}

PoisonedPairs::PoisonedPairs(const Dataset& data, const PoisonPlan& plan, const Attack& attack,
                             const Artifact& artifact, std::uint64_t seed)
    : clean_(*data.train) {
  std::vector<bool> gone(static_cast<std::size_t>(clean_.size()), false);
  std::vector<torch::Tensor> images;
  for (const auto& edit : plan.edits) {
    if (edit.replaces) gone[static_cast<std::size_t>(*edit.replaces)] = true;
    const auto image = clean_image(data, artifact, edit.image).unsqueeze(0);
    images.push_back(edit.trigger ? attack.apply_trigger(image, {&*edit.trigger, 1}) : image);
    poison_captions_.push_back(edit.caption);
  }
  if (!images.empty()) poison_images_ = torch::cat(images).contiguous();  // read as rows of bytes
  for (const auto pair : plan.removes) gone[static_cast<std::size_t>(pair)] = true;
  for (std::int64_t pair = 0; pair < clean_.size(); ++pair) {
    if (!gone[static_cast<std::size_t>(pair)]) rows_.push_back(pair);
  }
  for (std::size_t poison = 0; poison < plan.edits.size(); ++poison) {
    rows_.push_back(clean_.size() + static_cast<std::int64_t>(poison));
  }
  Rng rng(seed);
  for (std::int64_t i = size() - 1; i > 0; --i) {
    std::swap(rows_[static_cast<std::size_t>(i)], rows_[static_cast<std::size_t>(rng.below(i + 1))]);
  }
  for (std::int64_t i = 0; i < size(); ++i) {
    const auto row = rows_[static_cast<std::size_t>(i)];
    if (std::ranges::binary_search(data.clean_subset, row)) clean_subset_.push_back(i);
  }
}

std::string PoisonedPairs::caption(std::int64_t index) const {
  const auto row = rows_.at(static_cast<std::size_t>(index));
  return row < clean_.size() ? clean_.caption(row) : poison_captions_[static_cast<std::size_t>(row - clean_.size())];
}

void PoisonedPairs::read_image(std::int64_t index, std::uint8_t* to) const {
  const auto row = rows_.at(static_cast<std::size_t>(index));
  if (row < clean_.size()) return clean_.read_image(row, to);
  const auto image = poison_images_[row - clean_.size()];
  std::memcpy(to, image.data_ptr(), image.nbytes());
}

std::vector<bool> PoisonedPairs::poisoned() const {
  std::vector<bool> result;
  for (std::int64_t i = 0; i < size(); ++i) result.push_back(poisoned(i));
  return result;
}

}  // namespace roclip::bench
