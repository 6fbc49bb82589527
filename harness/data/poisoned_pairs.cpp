#include "harness/data/poisoned_pairs.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <variant>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip::bench {

namespace {

constexpr const char* kSets[] = {"train", "held_out", "artifact"};  // in the order of ImageRef::Set

Json to_json(const ImageRef& image) { return {{"set", kSets[static_cast<int>(image.set)]}, {"index", image.index}}; }

ImageRef image_from_json(const Json& json) {
  const auto* set = std::ranges::find(kSets, json.at("set").get<std::string>());
  if (set == std::end(kSets)) throw Error(ErrorKind::kData, "unknown set of images " + json.at("set").dump());
  return {static_cast<ImageRef::Set>(set - kSets), json.at("index")};
}

template <class... Cases>
struct Overload : Cases... {
  using Cases::operator()...;
};

Json to_json(const Goal& goal) {
  Json json = std::visit(
      Overload{[](const NoGoal&) { return Json::object(); },
               [](const TargetImagesGoal& g) {
                 Json targets = Json::array();
                 for (const auto& target : g.targets) {
                   targets.push_back({{"held_out", target.held_out}, {"adversarial_class", target.adversarial_class}});
                 }
                 return Json{{"targets", std::move(targets)}};
               },
               [](const TriggeredImagesGoal& g) {
                 return Json{{"target_class", g.target_class}};
               },
               [](const TriggeredTextGoal& g) {
                 return Json{{"target_class", g.target_class}};
               },
               [](const ConfusedClassesGoal& g) {
                 return Json{{"image_class", g.image_class}, {"caption_class", g.caption_class}};
               }},
      goal);
  json["kind"] = kind_of(goal);
  return json;
}

Goal goal_from_json(const Json& json) {
  const auto kind = json.at("kind").get<std::string>();
  const auto classes = [&] { return json.at("target_class").get<std::vector<std::int64_t>>(); };
  if (kind == "none") return NoGoal{};
  if (kind == "triggered_images") return TriggeredImagesGoal{classes()};
  if (kind == "triggered_text") return TriggeredTextGoal{classes()};
  if (kind == "confused_classes") return ConfusedClassesGoal{json.at("image_class"), json.at("caption_class")};
  if (kind != "target_images") throw Error(ErrorKind::kData, "unknown goal \"" + kind + "\"");
  TargetImagesGoal goal;
  for (const auto& target : json.at("targets")) {
    goal.targets.push_back({target.at("held_out"), target.at("adversarial_class")});
  }
  return goal;
}

bool is_utf8(const std::string& text) {
  try {
    Json(text).dump();
  } catch (const Json::exception&) {
    return false;
  }
  return true;
}

/// Checks a plan, part by part.
class PlanCheck {
 public:
  explicit PlanCheck(const AttackView& view) : view_(view), gone_(static_cast<std::size_t>(view.train.size())) {}

  void edit(const Edit& edit, std::int64_t triggers) {
    if (edit.image.set == ImageRef::Set::kTrain) index(edit.image.index, view_.train.size(), "train image");
    if (edit.image.set == ImageRef::Set::kHeldOut) index(edit.image.index, view_.held_out.size(), "held-out image");
    if (!is_utf8(edit.caption)) refuse("a caption is not UTF-8");
    if (edit.trigger && triggers > 0) index(edit.trigger->trigger, triggers, "trigger of an edit");
    if (edit.trigger && edit.trigger->test) refuse("an edit's draw says that it is a test");
    if (edit.replaces) disappears(*edit.replaces, "replaced");
  }

  void disappears(std::int64_t pair, const std::string& how) {
    index(pair, view_.train.size(), how + " pair");
    if (gone_[static_cast<std::size_t>(pair)]) refuse("pair " + std::to_string(pair) + " is " + how + " twice");
    if (!view_.may_change(pair)) {
      refuse("pair " + std::to_string(pair) + " is " + how +
             ", but belongs to the clean subset, which no attack may "
             "touch: ask view.may_change()");
    }
    gone_[static_cast<std::size_t>(pair)] = true;
  }

  void operator()(const NoGoal&) const {}
  void operator()(const TargetImagesGoal& goal) const {
    std::set<std::int64_t> targets;
    for (const auto& target : goal.targets) {
      index(target.held_out, view_.held_out.size(), "target image");
      class_of(target.adversarial_class, "adversarial class");
      if (!targets.insert(target.held_out).second) {
        refuse("image " + std::to_string(target.held_out) + " is a target twice");
      }
    }
    if (targets.empty()) refuse("its goal has no target images");
  }
  void operator()(const TriggeredImagesGoal& goal) const { classes(goal.target_class); }
  void operator()(const TriggeredTextGoal& goal) const { classes(goal.target_class); }
  void operator()(const ConfusedClassesGoal& goal) const {
    class_of(goal.image_class, "image class");
    class_of(goal.caption_class, "caption class");
  }

 private:
  [[noreturn]] static void refuse(const std::string& what) {
    throw Error(ErrorKind::kPlugin, "the attack's plan is not valid: " + what);
  }
  static void index(std::int64_t index, std::int64_t size, const std::string& what) {
    if (index >= 0 && index < size) return;
    refuse(what + " " + std::to_string(index) + " is not in [0, " + std::to_string(size) + ")");
  }
  void class_of(std::int64_t label, const std::string& what) const { index(label, std::ssize(view_.classes), what); }
  void classes(const std::vector<std::int64_t>& target_class) const {
    if (target_class.empty()) refuse("its goal has no target class");
    for (const auto label : target_class) class_of(label, "target class");
  }

  const AttackView& view_;
  std::vector<bool> gone_;
};

}  // namespace

std::string_view kind_of(const Goal& goal) {
  constexpr std::string_view kKinds[] = {"none", "target_images", "triggered_images", "triggered_text",
                                         "confused_classes"};  // in the order of Goal's alternatives
  return kKinds[goal.index()];
}

std::int64_t triggers_of(const Goal& goal) {
  return std::visit(Overload{[](const TriggeredImagesGoal& g) { return std::ssize(g.target_class); },
                             [](const TriggeredTextGoal& g) { return std::ssize(g.target_class); },
                             [](const auto&) { return std::ptrdiff_t{0}; }},
                    goal);
}

std::int64_t trials_of(const Goal& goal, const LabelledImages& held_out) {
  const auto of_other_classes = [&](const std::vector<std::int64_t>& target_class) {
    std::int64_t trials = 0;
    for (const auto label : target_class) trials += (held_out.labels != label).sum().item<std::int64_t>();
    return trials;
  };
  return std::visit(Overload{[](const NoGoal&) { return std::int64_t{0}; },
                             [](const TargetImagesGoal& g) { return static_cast<std::int64_t>(g.targets.size()); },
                             [&](const TriggeredImagesGoal& g) { return of_other_classes(g.target_class); },
                             [&](const TriggeredTextGoal& g) { return of_other_classes(g.target_class); },
                             [&](const ConfusedClassesGoal& g) {
                               return (held_out.labels == g.image_class).sum().item<std::int64_t>();
                             }},
                    goal);
}

void check_plan(const PoisonPlan& plan, const AttackView& view) {
  PlanCheck check(view);
  for (const auto& edit : plan.edits) check.edit(edit, triggers_of(plan.goal));
  for (const auto pair : plan.removes) check.disappears(pair, "removed");
  std::visit(check, plan.goal);
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
