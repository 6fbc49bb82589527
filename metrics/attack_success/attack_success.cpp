#include "attack_success.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

const std::vector<std::string> kDenominators = {"other_classes", "all_classes", "others_of_all", "source_class"};
constexpr std::int64_t kStampAtOnce = 1024;  // images; a stamped copy of a whole test set may not fit in memory

const std::string& name_of(const EvalInputs& inputs, std::int64_t label) {
  return inputs.data.classes[static_cast<std::size_t>(label)].name;
}

/// Counts of all triggers, joined by name. Items stay ascending: trigger by trigger they are brought in order.
std::vector<Count> joined(const std::vector<std::vector<Count>>& by_trigger) {
  std::vector<Count> counts = by_trigger.front();
  if (by_trigger.size() == 1) return counts;
  for (std::size_t c = 0; c < counts.size(); ++c) {
    std::multimap<std::int64_t, bool> outcomes;
    for (const auto& of_trigger : by_trigger) {
      for (std::size_t i = 0; i < of_trigger[c].items.size(); ++i) {
        outcomes.emplace(of_trigger[c].items[i], of_trigger[c].outcomes[i] != 0);
      }
    }
    Count all;
    all.name = counts[c].name;
    for (const auto& [item, hit] : outcomes) all.add(item, hit);
    counts[c] = std::move(all);
  }
  return counts;
}

/// Success for every kind of goal.
class Success {
 public:
  Success(ClipModel& model, const EvalInputs& inputs, const AttackSuccessParams& params)
      : model_(model),
        inputs_(inputs),
        params_(params),
        held_out_(inputs.data.held_out),
        classes_(class_embeddings(model, inputs.data.classes)) {}

  MetricResult operator()(const NoGoal&) const { return {.not_applicable = "no attack, so no success to count"}; }

  MetricResult operator()(const TargetImagesGoal& goal) const {
    std::vector<std::int64_t> held_out_of, wanted_of;
    for (const auto& target : goal.targets) {
      held_out_of.push_back(target.held_out);
      wanted_of.push_back(target.adversarial_class);
    }
    const auto items = torch::tensor(held_out_of), wanted = torch::tensor(wanted_of);
    const auto scores = images_of(items).matmul(classes_.t());  // [N, C]
    const auto ranks = rank_of(scores, wanted), predicted = scores.argmax(/*dim=*/1);
    Json details = Json::array();
    for (std::int64_t i = 0; i < items.size(0); ++i) {
      details.push_back({{"held_out", held_out_of[static_cast<std::size_t>(i)]},
                         {"true_class", name_of(inputs_, held_out_.label(items[i].item<std::int64_t>()))},
                         {"adversarial_class", name_of(inputs_, wanted_of[static_cast<std::size_t>(i)])},
                         {"predicted", name_of(inputs_, predicted[i].item<std::int64_t>())},
                         {"adversarial_rank", ranks[i].item<std::int64_t>()},
                         {"adversarial_similarity", scores[i][wanted[i]].item<double>()}});
    }
    return {.counts = {hits_at(1, "top1", items, ranks), hits_at(5, "top5", items, ranks)},
            .details = Json{{"targets", details}}.dump()};
  }

  MetricResult operator()(const TriggeredImagesGoal& goal) const {
    std::vector<std::string> denominators = {params_.denominator};
    denominators.insert(denominators.end(), params_.also.begin(), params_.also.end());
    std::vector<std::vector<Count>> by_trigger;
    for (std::size_t t = 0; t < goal.target_class.size(); ++t) {
      const auto target = goal.target_class[t];
      auto needed = torch::zeros_like(held_out_.labels, torch::kBool);
      for (const auto& denominator : denominators) {
        const auto mask = counted(held_out_.labels, target, denominator);
        needed |= mask;
        if (mask.any().item<bool>()) continue;
        return {.not_applicable = denominator == "source_class"
                                      ? "the data set has no held-out image of the source class, or it is the target"
                                      : "the data set has no held-out image of another class"};
      }
      const auto items = needed.nonzero().squeeze(1), labels = held_out_.labels.index_select(0, items);
      const auto trigger = static_cast<std::int64_t>(t);
      std::vector<torch::Tensor> clean, triggered;
      for (const auto& chunk : items.split(kStampAtOnce)) {
        const auto images = held_out_.images(chunk);
        clean.push_back(embed_images(model_, images));
        triggered.push_back(embed_images(model_, inputs_.apply_trigger(images, inputs_.test_draws(chunk, trigger))));
      }
      const auto count = [&](std::int64_t k, const std::string& name, const torch::Tensor& ranks,
                             const std::string& denominator) {
        const auto rows = counted(labels, target, denominator).nonzero().squeeze(1);
        return hits_at(k, name, items.index_select(0, rows), ranks.index_select(0, rows));
      };
      const auto scores = [](const std::vector<torch::Tensor>& images, const torch::Tensor& classes) {
        return torch::cat(images).matmul(classes.t());  // [N, C]
      };
      const auto taken_for_target = [&](std::int64_t k, const std::string& name, const torch::Tensor& of,
                                        const std::string& denominator) {
        auto ranks = rank_of(of, torch::full_like(items, target));
        // These have images that are never a success.
        if (denominator == "others_of_all")
          ranks.masked_fill_(labels == target, std::numeric_limits<std::int64_t>::max());
        return count(k, name, ranks, denominator);
      };
      const auto classes = goal.triggered_prompts ? inputs_.triggered_classes(model_, trigger) : classes_;
      const auto as_attacked = scores(triggered, classes);
      const auto& own = params_.denominator;
      auto& counts = by_trigger.emplace_back();
      counts = {taken_for_target(1, "top1", as_attacked, own), taken_for_target(5, "top5", as_attacked, own),
                taken_for_target(1, "clean_as_target", scores(clean, classes_), own),
                count(1, "true_class", rank_of(as_attacked, labels), own)};
      if (goal.triggered_prompts) {
        counts.push_back(taken_for_target(1, "image_key_only", scores(triggered, classes_), own));
        counts.push_back(taken_for_target(1, "text_key_only", scores(clean, classes), own));
      }
      for (const auto& other : params_.also) counts.push_back(taken_for_target(1, other, as_attacked, other));
    }
    auto told = details(goal.target_class);
    told["denominator"] = params_.denominator;
    if (!params_.source_class.empty()) told["source_class"] = params_.source_class;
    return {.counts = joined(by_trigger), .details = told.dump()};
  }

  /// Two ways in which a caption with the trigger may fool: it finds images of the target class, and a class whose
  /// prompts carry it takes images of the target class for its own.
  MetricResult operator()(const TriggeredTextGoal& goal) const {
    const auto images = embed_images(model_, *held_out_.pairs, torch::arange(held_out_.size(), torch::kLong));
    std::vector<std::vector<Count>> by_trigger;
    for (std::size_t t = 0; t < goal.target_class.size(); ++t) {
      const auto target = goal.target_class[t];
      const auto items = of_other_classes(target);
      const auto victims = (held_out_.labels == target).nonzero().squeeze(1);
      if (items.numel() == 0 || victims.numel() == 0) {
        return {.not_applicable = "the data set has no held-out image of the target class, or none of another"};
      }
      const auto trigger = static_cast<std::int64_t>(t);
      by_trigger.push_back({retrieved(images, items, target, trigger, true),
                            retrieved(images, items, target, trigger, false),
                            prompted(images.index_select(0, victims), victims, target, trigger, true),
                            prompted(images.index_select(0, victims), victims, target, trigger, false)});
    }
    return {.counts = joined(by_trigger), .details = details(goal.target_class).dump()};
  }

  MetricResult operator()(const ConfusedClassesGoal& goal) const {
    const auto items = (held_out_.labels == goal.image_class).nonzero().squeeze(1);
    if (items.numel() == 0) return {.not_applicable = "the data set has no held-out image of the attacked class"};
    const auto ranks = rank_of(images_of(items).matmul(classes_.t()), torch::full_like(items, goal.caption_class));
    return {.counts = {hits_at(1, "top1", items, ranks), hits_at(5, "top5", items, ranks)},
            .details = Json{{"image_class", name_of(inputs_, goal.image_class)},
                            {"caption_class", name_of(inputs_, goal.caption_class)}}
                           .dump()};
  }

 private:
  torch::Tensor images_of(const torch::Tensor& items) const { return embed_images(model_, *held_out_.pairs, items); }
  torch::Tensor of_other_classes(std::int64_t target) const {
    return (held_out_.labels != target).nonzero().squeeze(1);
  }
  /// Over which images a backdoor in images is counted. @param labels i64 [N]. @return bool [N]
  torch::Tensor counted(const torch::Tensor& labels, std::int64_t target, const std::string& denominator) const {
    if (denominator == "other_classes") return labels != target;
    if (denominator == "source_class") {
      const auto source = class_index(inputs_.data.classes, params_.source_class, "attack_success/source_class");
      return (labels == source) & (labels != target);
    }
    return torch::ones_like(labels, torch::kBool);
  }
  Json details(const std::vector<std::int64_t>& target_class) const {
    if (target_class.size() == 1) return Json{{"target_class", name_of(inputs_, target_class.front())}};
    Json names = Json::array();
    for (const auto label : target_class) names.push_back(name_of(inputs_, label));
    return Json{{"target_class", names}};
  }

  /// Text-to-image retrieval: is the image nearest to the item's caption one of the target class? An item without a
  /// caption asks with the first prompt of its class.
  Count retrieved(const torch::Tensor& images, const torch::Tensor& items, std::int64_t target, std::int64_t trigger,
                  bool triggered) const {
    std::vector<std::string> texts;
    for (std::int64_t i = 0; i < items.numel(); ++i) {
      const auto item = items[i].item<std::int64_t>();
      const auto caption = held_out_.pairs->caption(item);
      const auto& info = inputs_.data.classes[static_cast<std::size_t>(held_out_.label(item))];
      texts.push_back(caption.empty() ? info.prompts.front() : caption);
    }
    if (triggered) texts = inputs_.apply_text_trigger(texts, inputs_.test_draws(items, trigger));
    const auto nearest = embed_captions(model_, texts).matmul(images.t()).argmax(1);
    Count count;
    count.name = triggered ? "top1" : "clean_as_target";
    for (std::int64_t i = 0; i < items.numel(); ++i) {
      const auto found = nearest[i].item<std::int64_t>();
      count.add(items[i].item<std::int64_t>(), held_out_.label(found) == target);
    }
    return count;
  }

  /// Zero-shot classification where the prompts of one other class, drawn for each image, carry the trigger: does the
  /// image of the target class go to that class?
  Count prompted(const torch::Tensor& images, const torch::Tensor& items, std::int64_t target, std::int64_t trigger,
                 bool triggered) const {
    const auto& classes = inputs_.data.classes;
    const auto draws = inputs_.test_draws(items, trigger);
    const auto scores = images.matmul(classes_.t());  // [N, C]
    const auto stamped = triggered ? inputs_.triggered_classes(model_, trigger) : classes_;
    const auto stamped_scores = images.matmul(stamped.t());  // [N, C]
    Count count;
    count.name = triggered ? "prompted" : "clean_prompted";
    for (std::int64_t i = 0; i < items.numel(); ++i) {
      auto wanted = Rng(draws[static_cast<std::size_t>(i)].value).below(std::ssize(classes) - 1);
      wanted += wanted >= target;
      auto row = scores[i].clone();
      row[wanted] = stamped_scores[i][wanted];
      count.add(items[i].item<std::int64_t>(), row.argmax().item<std::int64_t>() == wanted);
    }
    return count;
  }

  ClipModel& model_;
  const EvalInputs& inputs_;
  const AttackSuccessParams& params_;
  const LabelledImages& held_out_;
  torch::Tensor classes_;  ///< f32 [C, D]
};

}  // namespace

void AttackSuccessParams::declare(ParamList& list) {
  list.choice("denominator", denominator, kDenominators,
              "which triggered held-out images a backdoor in images is counted over",
              "Detect-CLIP-Backdoor-Samples in1k_backdoor_zeroshot.py:28-36; the others: see README");
  list.add("also", also, "denominators that are counted too, each under its own name", "ours");
  list.add("source_class", source_class, "class whose images the denominator source_class counts",
           "Armory's scenarios");
}

AttackSuccess::AttackSuccess(const Params& params) : params_(params) {
  std::set<std::string> denominators = {params.denominator};
  for (const auto& other : params.also) {
    if (std::ranges::count(kDenominators, other) == 0 || !denominators.insert(other).second) {
      throw Error(ErrorKind::kMatrix,
                  "attack_success/also: expected denominators, each once and none that \"denominator\" has, got " +
                      Json(params.also).dump() + "; they are " + Json(kDenominators).dump());
    }
  }
  if (denominators.contains("source_class") == !params.source_class.empty()) return;
  throw Error(ErrorKind::kMatrix,
              "attack_success/source_class: expected a class name with the denominator source_class, and none without "
              "it, got \"" +
                  params.source_class + "\" with " + Json(denominators).dump() + "; set both or neither");
}

MetricResult AttackSuccess::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  return std::visit(Success(model, inputs, params_), inputs.goal);
}

}  // namespace roclip
