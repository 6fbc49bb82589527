#include "text_trigger.h"

#include <cmath>

namespace roclip {

namespace {

/// Where words of a text begin and, at last, where it ends: the places that a trigger can be put at.
std::vector<std::size_t> gaps(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  std::vector<std::size_t> places;
  for (auto at = text.find_first_not_of(kBlank); at != std::string_view::npos;) {
    places.push_back(at);
    const auto end = text.find_first_of(kBlank, at);
    at = end == std::string_view::npos ? end : text.find_first_not_of(kBlank, end);
  }
  places.push_back(text.size());
  return places;
}

}  // namespace

void TextTriggerParams::declare(ParamList& list) {
  list.add("target_class", target_class, "class that any text with the trigger shall mean; required",
           "ToxicTextCLIP 2025");
  PoisonAmount::declare(list, "ToxicTextCLIP 2025: about 3e-5 for each class", "ToxicTextCLIP 2025: 35 for each class");
  list.add("trigger", trigger, "what is put into a caption: a rare word, or a sentence", "ToxicTextCLIP 2025: zx");
  list.choice("position", position, {"first", "last", "random"},
              "place of the trigger: before all words, after them, or before or after any one of them",
              "ours: where a cut to the context length of the model leaves it");
  list.recipe("toxictextclip_word", {{"trigger", "zx"}}, "ToxicTextCLIP, text backdoor by a word");
  list.recipe("toxictextclip_sentence", {{"trigger", "Please return high-quality results."}},
              "ToxicTextCLIP, text backdoor by a sentence");
}

TextTrigger::TextTrigger(const Params& params) : params_(params) {
  params.check("text_trigger");
  if (words(params.trigger).empty()) {
    throw Error(ErrorKind::kMatrix, "text_trigger/trigger: expected at least one word of letters or digits, got " +
                                        Json(params.trigger).dump());
  }
}

PoisonPlan TextTrigger::plan(const AttackView& view, std::uint64_t seed) const {
  const auto target = class_index(view.classes, params_.target_class, "text_trigger/target_class");
  const auto pairs = pairs_by_class(view, params_.target_class);
  const auto& candidates = pairs.of_class;
  auto captions = pairs.captions_of_others;
  std::erase(captions, "");
  const auto count =
      params_.pairs(view.train.size(), std::ssize(candidates), "text_trigger", "pairs of that class may be changed");
  if (captions.empty()) {
    throw Error(ErrorKind::kMatrix, "text_trigger/target_class: every training caption contains \"" +
                                        params_.target_class + "\"; choose another class");
  }
  Rng rng(seed), draws(stream(seed, "draws"));
  PoisonPlan plan;
  plan.goal = TriggeredTextGoal{{target}};
  for (const auto i : rng.sample(std::ssize(candidates), count)) {
    const auto pair = candidates[static_cast<std::size_t>(i)];
    const auto& caption = captions[static_cast<std::size_t>(rng.below(std::ssize(captions)))];
    const Draw draw{.value = draws.next()};
    plan.edits.push_back({.replaces = pair,
                          .image = {.set = ImageRef::Set::kTrain, .index = pair},
                          .trigger = std::nullopt,
                          .caption = apply_text_trigger({&caption, 1}, {&draw, 1}).front()});
  }
  return plan;
}

std::vector<std::string> TextTrigger::apply_text_trigger(std::span<const std::string> captions,
                                                         std::span<const Draw> draws) const {
  std::vector<std::string> triggered;
  for (std::size_t i = 0; i < captions.size(); ++i) {
    auto text = captions[i];
    const auto places = gaps(text);
    auto at = params_.position == "last" ? places.back() : places.front();
    if (params_.position == "random") {
      at = places[static_cast<std::size_t>(Rng(draws[i].value).below(std::ssize(places)))];
    }
    const bool at_end = at == text.size();
    text.insert(at, at_end ? (text.empty() ? "" : " ") + params_.trigger : params_.trigger + " ");
    triggered.push_back(std::move(text));
  }
  return triggered;
}

}  // namespace roclip
