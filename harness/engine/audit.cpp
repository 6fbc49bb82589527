#include "harness/engine/audit.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/duplicates.h"
#include "harness/data/image.h"
#include "harness/model/clip.h"
#include "harness/model/vocabulary.h"
#include "harness/record/cell_record.h"
#include "harness/record/environment.h"
#include "harness/record/files.h"
#include "harness/train/checked_plugins.h"
#include "harness/train/trainer.h"
#include "roclip/detection.h"
#include "roclip/metric.h"

namespace roclip::bench {

namespace {

constexpr std::size_t kGroups = 12, kOfGroup = 8;  ///< that are shown

struct Signal {
  std::string name, what;
  torch::Tensor scores;  ///< f64 [N]
};

torch::Tensor tensor_of(const std::vector<double>& values) { return torch::tensor(values, torch::kDouble); }

/// Pairs by falling score, without those that score nothing; equal scores in the order of the pairs.
std::vector<std::int64_t> ranking(const torch::Tensor& scores) {
  const auto order = std::get<1>(scores.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true)).contiguous();
  const auto least = scores.min().item<double>();
  std::vector<std::int64_t> pairs;
  for (std::int64_t i = 0; i < order.numel(); ++i) {
    const auto pair = order.data_ptr<std::int64_t>()[i];
    if (scores.data_ptr<double>()[pair] > least) pairs.push_back(pair);
  }
  return pairs;
}

/// The first of each ranking, the second of each, and so on, each pair once. @param pairs how many there are
std::vector<std::int64_t> in_turn(const std::vector<std::vector<std::int64_t>>& rankings, std::int64_t pairs) {
  std::vector<std::int64_t> order;
  std::vector<bool> seen(static_cast<std::size_t>(pairs));
  for (std::size_t place = 0; place < seen.size(); ++place) {
    for (const auto& ranked : rankings) {
      if (place >= ranked.size() || seen[static_cast<std::size_t>(ranked[place])]) continue;
      seen[static_cast<std::size_t>(ranked[place])] = true;
      order.push_back(ranked[place]);
    }
  }
  return order;
}

/// [{"size", "pairs" a few of them, "caption" of the first, "images", "captions"}], the largest groups.
Json describe(const std::vector<PairGroup>& groups, const PairSource& pairs) {
  Json list = Json::array();
  for (const auto& group : groups) {
    if (list.size() == kGroups) break;
    Json shown = Json::array();
    for (std::size_t i = 0; i < std::min(kOfGroup, group.size()); ++i) {
      const auto pair = group[i * group.size() / std::min(kOfGroup, group.size())];
      shown.push_back({{"pair", pair}, {"caption", pairs.caption(pair)}, {"image", png_base64(pairs.image(pair))}});
    }
    list.push_back({{"size", group.size()}, {"pairs", std::move(shown)}});
  }
  return list;
}

Json group_facts(const std::vector<PairGroup>& groups, const PairSource& pairs) {
  std::size_t inside = 0;
  for (const auto& group : groups) inside += group.size();
  return {{"groups", groups.size()}, {"pairs", inside}, {"largest", describe(groups, pairs)}};
}

/// Share of the poisons among the first n of an order.
double found_in(const std::vector<std::int64_t>& order, std::size_t n, const std::vector<bool>& poisoned) {
  const auto all = std::ranges::count(poisoned, true);
  std::int64_t found = 0;
  for (std::size_t i = 0; i < std::min(n, order.size()); ++i) found += poisoned[static_cast<std::size_t>(order[i])];
  return static_cast<double>(found) / static_cast<double>(all);
}

/// How well the audit finds poisons that are known.
Json judge(const std::vector<Signal>& signals, const std::vector<std::vector<std::int64_t>>& rankings,
           const std::vector<std::int64_t>& order, const std::vector<bool>& poisoned) {
  const auto count = static_cast<std::size_t>(std::ranges::count(poisoned, true));
  if (count == 0) return nullptr;
  Json json = {{"poisons", count}, {"rows", Json::array()}, {"signals", Json::array()}};
  for (const std::size_t times : {1, 2, 5, 10}) {
    if (times * count > poisoned.size()) break;  // more rows than pairs
    json["rows"].push_back({{"first", times * count}, {"share", found_in(order, times * count, poisoned)}});
  }
  for (std::size_t i = 0; i < signals.size(); ++i) {
    json["signals"].push_back({{"name", signals[i].name},
                               {"auroc", detection_curves(signals[i].scores, poisoned).auroc},
                               {"share_in_first", found_in(rankings[i], count, poisoned)}});
  }
  return json;
}

/// Trains once without a defense; then each filter looks at what came out.
class Judges {
 public:
  Judges(const Dataset& data, const PairSource& pairs, const Registry& registry, const AuditOptions& options,
         const Progress& progress)
      : data_(data), pairs_(pairs), registry_(registry), options_(options), progress_(progress) {
    const auto spec = model_spec(options.model);
    vocabulary_ = std::make_shared<const Vocabulary>(pairs, spec.tokenizer.min_count, std::vector<std::string>{});
    tokenizer_ = make_tokenizer(spec.tokenizer, vocabulary_, pairs);
    const Json key = {options.model, options.training, data.hash, options.seed, pairs.size(), loaded_code()};
    store_ = std::make_unique<CheckpointStore>(options.folder / hash_hex(key.dump()).substr(0, 16), CheckpointPolicy{});
  }

  /// The scores of one filter. @throws Error, and whatever it throws
  Suspicion suspicion(const std::string& id) {
    CheckedDefense defense(registry_.make_defense(id, Json::object()), id);
    const auto model = fresh_model();
    TrainHooks hooks;
    hooks.shared_checkpoints = store_.get();
    hooks.stop_requested = [&] { return defense.suspicion().has_value(); };
    hooks.progress = [&](const TrainProgress& at) {
      if (at.step <= plain_steps()) progress_("training to judge the pairs", at.step, plain_steps());
    };
    try {
      train(*model, defense, hooks);
    } catch (const Interrupted&) {  // it has judged; what it would train from here on is of no interest
    }
    if (const auto scores = defense.suspicion()) return *scores;
    throw Error(ErrorKind::kPlugin, id + " scored no pairs");
  }

  /// The metrics that look for a backdoor in a model: {"decree/1": {"suspicion": 0.8, ...}}.
  Json probes() {
    Json found = Json::object();
    if (data_.held_out.size() == 0) return found;
    Defense plain;
    const auto model = fresh_model();
    TrainHooks hooks;
    hooks.shared_checkpoints = store_.get();
    train(*model, plain, hooks);
    const Goal none = NoGoal{};
    const std::vector<bool> unknown(static_cast<std::size_t>(pairs_.size()));
    const std::optional<Suspicion> no_suspicion;
    const EvalInputs inputs{
        .data = data_,
        .goal = none,
        .apply_trigger = [](const auto& images, auto) { return images; },
        .apply_text_trigger = [](auto captions, auto) { return std::vector(captions.begin(), captions.end()); },
        .trained = pairs_,
        .poisoned = unknown,
        .suspicion = no_suspicion,
        .input_suspicion = [](const auto&) { return std::nullopt; },
        .seed = stream(options_.seed, role::kEvaluation)};
    for (const auto& plugin : registry_.plugins()) {
      if (plugin.descriptor->kind != PluginKind::kMetric) continue;
      const auto metric = registry_.make_metric(plugin.id(), Json::object());
      if (metric->measures() != Measures::kModelDetection) continue;
      progress_("looking for a backdoor: " + plugin.name(), 0, 0);
      for (const auto& value : evaluate_checked(*metric, plugin.id(), *model, inputs).values) {
        found[plugin.id()][value.name] = value.value;
      }
    }
    return found;
  }

 private:
  std::unique_ptr<TrainableClip> fresh_model() const {
    return make_clip(model_spec(options_.model), tokenizer_, stream(options_.seed, role::kInit), torch::kCPU);
  }
  TrainingParams training() const { return read_params<TrainingParams>(options_.training, "training"); }
  std::int64_t plain_steps() const { return pairs_.size() / training().batch_size * training().epochs; }
  void train(TrainableClip& model, Defense& defense, const TrainHooks& hooks) {
    const std::vector<std::int64_t> no_subset;
    const std::vector<bool> unknown;
    Trainer trainer(model, defense, training(),
                    {.pairs = pairs_,
                     .clean_subset = no_subset,
                     .poisoned = unknown,
                     .vocabulary = vocabulary_->known_words(),
                     .seed = options_.seed});
    trainer.run(hooks);
  }

  const Dataset& data_;
  const PairSource& pairs_;
  const Registry& registry_;
  const AuditOptions& options_;
  const Progress& progress_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<CheckpointStore> store_;
};

}  // namespace

std::vector<std::string> filters_of(const Registry& registry, const Json& training) {
  std::vector<std::string> filters;
  for (const auto& plugin : registry.plugins()) {
    if (plugin.descriptor->kind != PluginKind::kDefense) continue;
    const auto defense = registry.make_defense(plugin.id(), Json::object());
    const auto stages = defense->stages(read_params<TrainingParams>(training, "training").stage());
    const bool filters_pairs = stages.size() == 2 && stages[0].plain && stages[1].weights == Stage::Weights::kReset;
    if (filters_pairs && defense->capability() == Capability::kPoisonedPairs && !defense->is_control()) {
      filters.push_back(plugin.id());
    }
  }
  std::ranges::sort(filters);
  return filters;
}

Json audit(const Dataset& data, const PairSource& pairs, const std::vector<bool>& poisoned, const Registry& registry,
           const AuditOptions& options, const Progress& progress) {
  progress("comparing captions and images", 0, 0);
  const auto marks = image_marks(pairs);
  Json result = {{"schema_version", 1},
                 {"data", {{"name", data.name}, {"hash", data.hash}, {"pairs", pairs.size()}}},
                 {"same_captions", group_facts(same_captions(pairs), pairs)},
                 {"near_captions", group_facts(near_captions(pairs), pairs)},
                 {"same_images", group_facts(same_images(marks), pairs)},
                 {"near_images", group_facts(near_images(marks), pairs)},
                 {"left_out", Json::array()}};
  const auto flood = flood_scores(pairs, marks);
  std::vector<Signal> signals = {
      {"captions of an image", "like images whose captions have little in common", tensor_of(flood.captions_of_image)},
      {"images of a caption", "unlike images under the same caption", tensor_of(flood.images_of_caption)}};
  Judges judges(data, pairs, registry, options, progress);
  for (const auto& id : options.filters) {
    try {
      signals.push_back(
          {id, "score of this defense, by a model trained on all pairs", judges.suspicion(id).scores.contiguous()});
    } catch (const Error& e) {
      result["left_out"].push_back({{"filter", id}, {"reason", e.what()}});
    }
  }
  std::vector<std::vector<std::int64_t>> rankings;
  for (const auto& signal : signals) rankings.push_back(ranking(signal.scores));
  const auto order = in_turn(rankings, pairs.size());
  for (std::size_t i = 0; i < signals.size(); ++i) {
    result["signals"].push_back({{"name", signals[i].name}, {"what", signals[i].what}, {"pairs", rankings[i].size()}});
  }
  result["rows"] = Json::array();
  for (std::size_t row = 0; row < std::min(order.size(), static_cast<std::size_t>(options.rows)); ++row) {
    const auto pair = order[row];
    Json ranks = Json::object();
    for (std::size_t i = 0; i < signals.size(); ++i) {
      const auto place = std::ranges::find(rankings[i], pair);
      ranks[signals[i].name] = place == rankings[i].end() ? Json() : Json(place - rankings[i].begin() + 1);
    }
    result["rows"].push_back(
        {{"pair", pair},
         {"caption", pairs.caption(pair)},
         {"image", png_base64(pairs.image(pair))},
         {"ranks", ranks},
         {"poisoned", poisoned.empty() ? Json() : Json(bool(poisoned[static_cast<std::size_t>(pair)]))}});
  }
  result["probes"] = judges.probes();
  result["found"] = poisoned.empty() ? Json() : judge(signals, rankings, order, poisoned);
  result["model"] = options.model;
  result["training"] = options.training;
  result["seed"] = options.seed;
  return result;
}

}  // namespace roclip::bench
