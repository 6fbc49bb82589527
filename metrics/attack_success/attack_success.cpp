#include "attack_success.h"

#include <limits>
#include <map>

#include <torch/types.h>
#include <torch/utils.h>

namespace roclip {

namespace {

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
    std::vector<std::vector<Count>> by_trigger;
    for (std::size_t t = 0; t < goal.target_class.size(); ++t) {
      const auto items = counted(goal.target_class[t]);
      if (items.numel() == 0) {
        return {.not_applicable = params_.source_class.empty()
                                      ? "the data set has no held-out image of another class"
                                      : "the data set has no held-out image of the source class, or it is the target"};
      }
      const auto trigger = static_cast<std::int64_t>(t);
      std::vector<torch::Tensor> clean, triggered;
      for (const auto& chunk : items.split(kStampAtOnce)) {
        const auto images = held_out_.images(chunk);
        clean.push_back(embed_images(model_, images));
        triggered.push_back(embed_images(model_, inputs_.apply_trigger(images, inputs_.test_draws(chunk, trigger))));
      }
      const auto target = torch::full_like(items, goal.target_class[t]);
      const auto labels = held_out_.labels.index_select(0, items);
      const auto scores = [](const std::vector<torch::Tensor>& images, const torch::Tensor& classes) {
        return torch::cat(images).matmul(classes.t());  // [N, C]
      };
      const auto taken_for_target = [&](const std::string& name, const std::vector<torch::Tensor>& images,
                                        const torch::Tensor& classes) {
        return hits_at(1, name, items, success_rank(scores(images, classes), target, labels));
      };
      const auto classes = goal.triggered_prompts ? inputs_.triggered_classes(model_, trigger) : classes_;
      const auto as_attacked = scores(triggered, classes);
      by_trigger.push_back({taken_for_target("top1", triggered, classes),
                            hits_at(5, "top5", items, success_rank(as_attacked, target, labels)),
                            taken_for_target("clean_as_target", clean, classes_),
                            hits_at(1, "true_class", items, rank_of(as_attacked, labels))});
      if (goal.triggered_prompts) {
        by_trigger.back().push_back(taken_for_target("image_key_only", triggered, classes_));
        by_trigger.back().push_back(taken_for_target("text_key_only", clean, classes));
      }
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
  /// The held-out images over which a backdoor in images is counted.
  torch::Tensor counted(std::int64_t target) const {
    if (params_.denominator == "other_classes") return of_other_classes(target);
    if (params_.denominator == "source_class") {
      const auto source = class_index(inputs_.data.classes, params_.source_class, "attack_success/source_class");
      return ((held_out_.labels == source) & (held_out_.labels != target)).nonzero().squeeze(1);
    }
    return torch::arange(held_out_.size(), torch::kLong);
  }
  /// Rank of the target class; behind all classes where the denominator has images that are never a success.
  torch::Tensor success_rank(const torch::Tensor& scores, const torch::Tensor& target,
                             const torch::Tensor& labels) const {
    const auto ranks = rank_of(scores, target);
    if (params_.denominator != "others_of_all") return ranks;
    return ranks.masked_fill(labels == target, std::numeric_limits<std::int64_t>::max());
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
  list.choice("denominator", denominator, {"other_classes", "all_classes", "others_of_all", "source_class"},
              "which triggered held-out images a backdoor in images is counted over",
              "Detect-CLIP-Backdoor-Samples in1k_backdoor_zeroshot.py:28-36; the others: see README");
  list.add("source_class", source_class, "class whose images are counted if the denominator is source_class",
           "Armory's scenarios");
}

AttackSuccess::AttackSuccess(const Params& params) : params_(params) {
  if ((params.denominator == "source_class") == !params.source_class.empty()) return;
  throw Error(ErrorKind::kMatrix,
              "attack_success/source_class: expected a class name with the denominator source_class, and none with "
              "another, got \"" +
                  params.source_class + "\" with " + params.denominator + "; set both or neither");
}

MetricResult AttackSuccess::evaluate(ClipModel& model, const EvalInputs& inputs) const {
  return std::visit(Success(model, inputs, params_), inputs.goal);
}

}  // namespace roclip
