#include <algorithm>
#include <memory>
#include <numeric>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/conformance/built_in.h"
#include "harness/conformance/check.h"
#include "harness/record/cell_record.h"
#include "harness/record/files.h"
#include "harness/record/text.h"
#include "roclip/metric.h"

namespace roclip::bench::conformance {

namespace {

/// What a metric may meet: each kind of goal, and a defense that scores pairs.
struct Situation {
  const char* name;
  Goal goal;
  bool suspicion = false;
};
const Situation kSituations[] = {{"no attack", NoGoal{}},
                                 {"target images", TargetImagesGoal{{{3, 1}, {10, 0}, {17, 2}, {40, 5}}}},
                                 {"triggered images", TriggeredImagesGoal{{2}}, true},
                                 {"two triggers", TriggeredImagesGoal{{2, 4}}},
                                 {"two keys", TriggeredImagesGoal{.target_class = {1}, .triggered_prompts = true}},
                                 {"triggered text", TriggeredTextGoal{{1}}},
                                 {"confused classes", ConfusedClassesGoal{0, 3}}};

torch::Tensor white_corner(const torch::Tensor& images, std::span<const Draw> draws) {
  auto stamped = images.clone();
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    stamped[i].slice(1, 0, 6 + 2 * draws[static_cast<std::size_t>(i)].trigger).slice(2, 0, 6).fill_(255);
  }
  return stamped;
}

std::vector<std::string> with_word(std::span<const std::string> captions, std::span<const Draw>) {
  std::vector<std::string> triggered;
  for (const auto& caption : captions) triggered.push_back("purple " + caption);
  return triggered;
}

std::unique_ptr<Metric> make(const Subject& subject) {
  return std::unique_ptr<Metric>(subject.plugin.make_metric(subject.params));
}

MetricResult evaluate(const Metric& metric, ClipModel& model, const Subject& subject, const Situation& situation) {
  const auto pairs = subject.data.train->size();
  std::vector<bool> poisoned;
  std::vector<double> scores;
  for (std::int64_t i = 0; i < pairs; ++i) {
    poisoned.push_back(i % 10 == 0);
    scores.push_back(static_cast<double>((i * 7) % 31 + (i % 10 == 0 ? 15 : 0)));
  }
  std::optional<Suspicion> suspicion;
  if (situation.suspicion) suspicion = Suspicion{torch::tensor(scores, torch::kDouble), 30.0};
  const EvalInputs inputs{.data = subject.data,
                          .goal = situation.goal,
                          .apply_trigger = &white_corner,
                          .apply_text_trigger = &with_word,
                          .trained = *subject.data.train,
                          .poisoned = poisoned,
                          .suspicion = suspicion,
                          .input_suspicion = [&](const torch::Tensor& images) -> std::optional<torch::Tensor> {
                            if (!situation.suspicion) return std::nullopt;
                            return images.to(torch::kDouble).mean({1, 2, 3});
                          },
                          .seed = stream(1, role::kEvaluation)};
  const torch::NoGradGuard no_grad;
  return call_hook("", "evaluate()", [&] { return metric.evaluate(model, inputs); });
}

/// Trained once a process, in evaluation mode.
TrainableClip& trained_model(const Subject& subject) {
  static SmallTraining training(subject.data);
  static const auto report = training.run();
  return training.model();
}

/// "top1 3/72", "auroc 0.98", or why there is nothing.
std::string said(const MetricResult& result) {
  if (!result.counts.empty()) {
    const auto& count = result.counts.front();
    return count.name + " " + std::to_string(count.hits) + "/" + std::to_string(count.trials);
  }
  if (result.values.empty()) return result.not_applicable;
  return result.values.front().name + format(" %.3g", result.values.front().value);
}

Finding counts_consistent(const Subject& subject) {
  const auto metric = make(subject);
  Finding finding;
  for (const auto& situation : kSituations) {
    const auto result = evaluate(*metric, trained_model(subject), subject, situation);
    try {
      check_result(result, metric->headline(), subject.data.train->size());
    } catch (const ContractViolation& e) {
      throw ContractViolation(std::string("with ") + situation.name + ", " + e.what(), e.fix());
    }
    finding.measured += (finding.measured.empty() ? "" : "; ") + std::string(situation.name) + ": " + said(result);
    finding.values[situation.name] = result.counts.size();
  }
  return finding;
}

Finding leaves_the_model_alone(const Subject& subject) {
  const auto metric = make(subject);
  auto& model = trained_model(subject);
  const auto images = subject.data.held_out.images(0, subject.data.held_out.size());
  const std::string fix = "undo every change (mode, gradients, weights), or work on a copy of the model";
  for (const auto& situation : kSituations) {
    const auto weights = model.weights_hash();
    const auto embeddings = embed_images(model, images);
    evaluate(*metric, model, subject, situation);
    expect(model.weights_hash() == weights, "evaluate() changes weights or batch statistics of the model", fix);
    expect(embed_images(model, images).equal(embeddings),
           "after evaluate() the model gives different embeddings: it is still in training mode", fix);
    expect(torch::GradMode::is_enabled(), "evaluate() leaves gradients switched off", fix);
    expect(std::ranges::all_of(model.trainable(), &torch::Tensor::requires_grad),
           "after evaluate() a weight does not require a gradient any more", fix);
  }
  return {"weights, statistics and mode do not change"};
}

Finding repeatable(const Subject& subject) {
  const auto metric = make(subject), other = make(subject);
  const std::string fix = "draw from Rng(inputs.seed) only: no clock, no std::random_device, no static state";
  Json hashes = Json::object();
  for (const auto& situation : kSituations) {
    const auto record_of = [&](const Metric& made) {
      return metric_record(evaluate(made, trained_model(subject), subject, situation), made);
    };
    const auto record = record_of(*metric);
    expect(record_of(*metric) == record, "a second call gives a different result", fix);
    expect(record_of(*other) == record, "another object with the same parameters gives a different result", fix);
    hashes[situation.name] = hash_hex(to_json(record).dump());
  }
  return {"equal results from 2 objects, 2 calls and 2 processes", hashes};
}

Finding no_leak(const Subject& subject) {
  return check_no_leak([&] {
    const auto metric = make(subject);
    for (const auto& situation : kSituations) evaluate(*metric, trained_model(subject), subject, situation);
  });
}

Finding time_per_call(const Subject& subject) {
  const auto metric = make(subject);
  Finding finding;
  for (const auto& situation : kSituations) {
    const double seconds = median_s(3, [&] { evaluate(*metric, trained_model(subject), subject, situation); });
    finding.measured += (finding.measured.empty() ? "" : ", ") + duration(seconds) + " with " + situation.name;
    finding.values["evaluate_s"][situation.name] = seconds;
  }
  return finding;
}

}  // namespace

const std::vector<Check>& metric_checks() {
  static const std::vector<Check> checks = {
      {"parameters", "Wrong values are refused and allowed values can be used.", {}, &check_parameters},
      {"counts_consistent", "Counts, items and outcomes agree.", {}, &counts_consistent},
      {"leaves_the_model_alone",
       "evaluate() does not change the model.",
       {"counts_consistent"},
       &leaves_the_model_alone},
      {"repeatable", "The same model gives the same result.", {"leaves_the_model_alone"}, &repeatable, kTwoProcesses},
      {"no_leak", "All memory is freed.", {"counts_consistent"}, &no_leak},
      {"time_per_call", "How long does evaluate() take?", {"counts_consistent"}, &time_per_call},
  };
  return checks;
}

}  // namespace roclip::bench::conformance
