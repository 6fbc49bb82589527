#include "harness/poison/inspect.h"

#include <algorithm>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>
#include <boost/algorithm/string/join.hpp>

#include "harness/data/poisoned_pairs.h"
#include "harness/record/text.h"

namespace roclip::bench {

namespace {

std::string class_name(const PoisonSet& set, std::int64_t index) {
  return set.data.classes[static_cast<std::size_t>(index)].name;
}

/// "fruit", or "fruit, cat" of several triggers; "" of a goal without a target class
std::string target_names(const PoisonSet& set) {
  std::vector<std::string> names;
  if (const auto* labels = target_classes(set.plan.goal)) {
    for (const auto label : *labels) names.push_back(class_name(set, label));
  }
  return boost::join(names, ", ");
}

/// "    L2    mean 0.99, max 1"
std::string mean_max(const std::string& what, const Json& value, double scale, const char* unit) {
  return format("    %-22s mean %.3g%s, max %.3g%s\n", what.c_str(), scale * value.at("mean").get<double>(), unit,
                scale * value.at("max").get<double>(), unit);
}

constexpr const char* kSizes[] = {"l_infinity", "l2", "share_changed"};  ///< columns of trigger_size()

/// Of the test images if there are any with a trigger, else of the triggered poisons; null without either.
Json trigger_facts(const PoisonSet& set) {
  std::vector<torch::Tensor> sizes;
  const auto add = [&](const torch::Tensor& clean, const torch::Tensor& triggered) {
    sizes.push_back(trigger_size(clean.unsqueeze(0), triggered.unsqueeze(0)));
  };
  if (std::holds_alternative<TriggeredImagesGoal>(set.plan.goal)) {
    for (std::int64_t i = 0; i < set.data.held_out.size(); ++i) {
      add(set.data.held_out.pairs->image(i), set.triggered(i, 0));
    }
  }
  const bool of_tests = !sizes.empty();
  for (const auto& edit : set.plan.edits) {
    if (of_tests || !edit.trigger) continue;
    const auto clean = clean_image(set.data, {}, edit.image);
    add(clean, set.attack->apply_trigger(clean.unsqueeze(0), {&*edit.trigger, 1})[0]);
  }
  if (sizes.empty()) return nullptr;
  Json facts = {{"on", of_tests ? "held-out image" : "poison"}, {"images", sizes.size()}};
  const auto all = torch::cat(sizes), mean = all.mean(0), most = all.amax(0);
  for (std::int64_t i = 0; i < all.size(1); ++i) {
    facts[kSizes[i]] = {{"mean", mean[i].item<double>()}, {"max", most[i].item<double>()}};
  }
  return facts;
}

}  // namespace

torch::Tensor trigger_size(const torch::Tensor& clean, const torch::Tensor& triggered) {
  const auto difference = (triggered.to(torch::kDouble) - clean.to(torch::kDouble)).abs().div(255);  // [N, 3, H, W]
  return torch::stack({difference.amax({1, 2, 3}), difference.square().sum({1, 2, 3}).sqrt(),
                       difference.amax(1).gt(0).to(torch::kDouble).mean({1, 2})},
                      1);
}

Json facts(const PoisonSet& set) {
  const auto& edits = set.plan.edits;
  const auto replacing = std::ranges::count_if(edits, [](const Edit& edit) { return edit.replaces.has_value(); });
  Json json = {{"folder", set.folder},
               {"attack", {{"plugin", set.attack_id}, {"params", set.params}}},
               {"seed", set.seed},
               {"data", {{"name", set.data.name}, {"image_px", set.data.train->image_px()}}},
               {"pairs", set.data.train->size() + std::ssize(edits) - replacing - std::ssize(set.plan.removes)},
               {"poisons", edits.size()},
               {"replacing", replacing},
               {"added", std::ssize(edits) - replacing},
               {"removed", set.plan.removes.size()},
               {"triggered", std::ranges::count_if(edits, [](const Edit& edit) { return edit.trigger.has_value(); })},
               {"goal", kind_of(set.plan.goal)},
               {"targets", Json::array()},
               {"target_class", target_names(set).empty() ? Json() : Json(target_names(set))},
               {"trigger", trigger_facts(set)}};
  if (const auto* goal = std::get_if<TargetImagesGoal>(&set.plan.goal)) {
    for (const auto& target : goal->targets) {
      json["targets"].push_back({{"held_out", target.held_out},
                                 {"class", class_name(set, set.data.held_out.label(target.held_out))},
                                 {"adversarial_class", class_name(set, target.adversarial_class)}});
    }
  }
  return json;
}

std::string summary(const PoisonSet& set, const Json& facts) {
  const auto number = [&](const char* key) { return facts.at(key).get<std::int64_t>(); };
  const double percent = 100.0 * static_cast<double>(number("poisons")) / static_cast<double>(number("pairs"));
  std::string text = set.attack_id + ", seed " + std::to_string(set.seed) + ", on " + set.data.name + " at " +
                     std::to_string(set.data.train->image_px()) + " px\n  parameters " + set.params.dump() + "\n  " +
                     counted(number("poisons"), "poison") + " (" + format("%.3g %%", percent) + " of " +
                     counted(number("pairs"), "pair") + "): " + std::to_string(number("replacing")) +
                     " replace a pair, " + std::to_string(number("added")) + " are added, " +
                     std::to_string(number("triggered")) + " have the trigger\n";
  for (const auto& target : facts.at("targets")) {
    text += "  target " + target.at("held_out").dump() + ": " + target.at("class").get<std::string>() + " -> " +
            target.at("adversarial_class").get<std::string>() + "\n";
  }
  if (const auto& target = facts.at("target_class"); !target.is_null()) {
    text += "  target class " + target.get<std::string>() + "\n";
  }
  if (const auto& trigger = facts.at("trigger"); !trigger.is_null()) {
    text += "  size of the trigger, measured on " + counted(trigger.at("images"), trigger.at("on")) + "\n";
    text += mean_max("largest change (0..1)", trigger.at("l_infinity"), 1, "");
    text += mean_max("L2", trigger.at("l2"), 1, "");
    text += mean_max("pixels changed", trigger.at("share_changed"), 100, " %");
  }
  return text;
}

}  // namespace roclip::bench
