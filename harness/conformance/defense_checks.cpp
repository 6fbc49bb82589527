#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <tuple>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/conformance/built_in.h"
#include "harness/conformance/check.h"
#include "harness/record/cell.h"
#include "harness/record/text.h"

namespace roclip::bench::conformance {

namespace {

std::unique_ptr<Defense> make(const Subject& subject) {
  return std::unique_ptr<Defense>(subject.plugin.make_defense(subject.params));
}

/// @return hash of the weights at the end
std::string trained(const Subject& subject, const TrainHooks& hooks = {}) {
  SmallTraining training(subject.data, make(subject));
  training.run(hooks);
  return training.model().weights_hash();
}

Finding trains(const Subject& subject) {
  SmallTraining training(subject.data, make(subject));
  const auto report = training.run();
  for (const auto& weights : training.model().trainable()) {
    expect(weights.isfinite().all().item<bool>(), "the trained model has weights that are not finite",
           "check what after_stage() does to the weights");
  }
  if (const auto suspicion = training.defense().suspicion()) {
    expect(suspicion->scores.numel() == training.pairs().size(),
           "suspicion() gives " + std::to_string(suspicion->scores.numel()) + " scores for " +
               std::to_string(training.pairs().size()) + " training pairs",
           "score every pair of context.pairs");
  }
  const torch::NoGradGuard no_grad;
  const auto pixels = to_pixels(subject.data.held_out.images(0, 8), torch::kCPU);
  const auto references = to_pixels(subject.data.probe.images(0, 20), torch::kCPU);
  const Deployment deployment{
      .model = training.model(), .classes = subject.data.classes, .references = references, .seed = 1};
  if (const auto together = training.defense().input_suspicion(pixels, deployment)) {
    for (std::int64_t i = 0; i < pixels.size(0); ++i) {
      const auto alone = training.defense().input_suspicion(pixels.narrow(0, i, 1), deployment);
      expect(alone && torch::allclose(*alone, together->narrow(0, i, 1), 1e-3, 1e-5),
             "input_suspicion() gives an image another score beside other images than alone",
             "score each image by itself; draw from deployment.seed");
    }
  }
  const double first = report.epochs.front().loss, last = report.epochs.back().loss;
  return {format("loss %.2f in the first epoch, %.2f in the last, ", first, last) + counted(report.steps(), "step") +
              " in " + counted(std::ssize(report.stages), "stage"),
          {{"first_loss", first}, {"last_loss", last}, {"steps", report.steps()}, {"stages", report.stages.size()}}};
}

Finding repeatable(const Subject& subject) {
  const auto weights = trained(subject);
  expect(trained(subject) == weights, "a second training with the same seed gives different weights",
         "draw from context.rng and context.augmentation_rng only; keep no state in statics; use no clock");
  return {"equal bits from 2 trainings and 2 processes", {{"hash", weights}}};
}

/// Trains until it was stopped and its state is in `checkpoints`: in the middle of an epoch, after so many steps; or
/// between two, after so many epochs.
void train_until(const Subject& subject, CheckpointStore& checkpoints, std::int64_t step, std::int64_t epoch) {
  TrainHooks hooks;
  hooks.checkpoints = &checkpoints;
  std::int64_t steps = 0, epochs = 0;
  hooks.stop_requested = [&] { return ++steps == step; };
  hooks.at_epoch_end = [&] { return ++epochs, std::map<std::string, double>(); };
  hooks.after_step = [&](std::int64_t) {  // one step later, whose work is lost
    if (epoch > 0 && epochs == epoch) throw Interrupted();
  };
  try {
    trained(subject, hooks);
  } catch (const Interrupted&) {
  }
}

/// Places to stop at, of an undisturbed training: in every stage at the first step, in the middle and at the end.
std::vector<std::int64_t> stopping_steps(const TrainReport& report) {
  std::set<std::int64_t> steps;
  std::int64_t begin = 0;
  for (const auto& stage : report.stages) {
    for (const auto step : {std::int64_t{1}, stage.steps / 4, stage.steps / 4 + 1, stage.steps / 2 + 5,
                            3 * stage.steps / 4 - 1, stage.steps}) {
      if (step >= 1 && step <= stage.steps) steps.insert(begin + step);
    }
    begin += stage.steps;
  }
  return {steps.begin(), steps.end()};
}

Finding resumes_to_the_same_bits(const Subject& subject) {
  SmallTraining training(subject.data, make(subject));
  const auto report = training.run();
  const auto epochs = std::ssize(report.epochs);
  const auto undisturbed = training.model().weights_hash();
  const auto scores = [](const SmallTraining& of) {
    const auto suspicion = of.defense().suspicion();
    return suspicion ? suspicion->scores : torch::Tensor();
  };
  const std::string fix =
      "save() must write and load() must read all that changes after the constructor: counters, pools, scores; draw "
      "from context.rng, which is saved, and not from the global generator of torch";

  std::vector<std::tuple<std::string, std::int64_t, std::int64_t>> stops;
  for (const auto step : stopping_steps(report)) {
    stops.emplace_back("after step " + std::to_string(step) + " of " + std::to_string(report.steps()), step, 0);
  }
  for (std::int64_t epoch = 1; epoch < epochs; ++epoch) {
    stops.emplace_back("between epochs " + std::to_string(epoch) + " and " + std::to_string(epoch + 1), 0, epoch);
  }
  for (const auto& [words, step, epoch] : stops) {
    CheckpointStore checkpoints(subject.scratch / (std::to_string(step) + "-" + std::to_string(epoch)),
                                {.every_s = 0, .every_epochs = epoch > 0 ? 1 : 0});
    TrainHooks hooks;
    hooks.checkpoints = &checkpoints;
    train_until(subject, checkpoints, step, epoch);
    expect(trained(subject, hooks) == undisturbed,
           "stopped " + words + " and resumed by another object, the training ends with different bits", fix);
    SmallTraining finished(subject.data, make(subject));
    finished.run(hooks);
    expect(finished.model().weights_hash() == undisturbed,
           "stopped " + words + ", resumed, and loaded again after its end, the training has different bits", fix);
    const auto now = scores(finished), before = scores(training);
    expect(now.defined() == before.defined() && (!now.defined() || now.equal(before)),
           "stopped " + words + " and resumed, the training ends with different suspicion scores", fix);
  }
  CheckpointStore each_epoch(subject.scratch / "each epoch", {.every_s = 0, .every_epochs = 1});
  TrainHooks saving;
  saving.checkpoints = &each_epoch;
  expect(trained(subject, saving) == undisturbed, "a training that is saved after each epoch ends with different bits",
         "save() must not change the defense");
  return {"equal bits after stops at " + std::to_string(stops.size()) + " places in " +
              counted(std::ssize(report.stages), "stage") + ", " + counted(epochs, "epoch") + " and " +
              counted(report.steps(), "step"),
          {{"stops", stops.size()}, {"stages", report.stages.size()}, {"epochs", epochs}, {"steps", report.steps()}}};
}

Finding no_leak(const Subject& subject) {
  return check_no_leak([&] { SmallTraining(subject.data, make(subject), /*epochs=*/2).run(); });
}

Finding time_per_step(const Subject& subject) {
  PhaseClock clock;
  const auto report = SmallTraining(subject.data, make(subject), SmallTraining::kEpochs, &clock).run();
  double wall_s = 0;
  for (const auto& stage : report.stages) wall_s += stage.wall_s;
  const double step_s = wall_s / static_cast<double>(report.steps());
  Json shares = Json::object();
  std::string text = "a step of this small model takes " + duration(step_s);
  for (const auto& [hook, seconds] : clock.phases()) {
    if (!hook.ends_with("()")) continue;
    const double share = seconds / wall_s;
    shares[hook] = share;
    if (share >= 0.02) text += ", " + hook + format(" %.0f %% of it", 100 * share);
  }
  return {text, {{"step_s", step_s}, {"shares", shares}}};
}

}  // namespace

const std::vector<Check>& defense_checks() {
  static const std::vector<Check> checks = {
      {"parameters", "Wrong values are refused and allowed values can be used.", {}, &check_parameters},
      {"trains", "A small model trains and every hook keeps its contract.", {}, &trains},
      {"repeatable", "The same seed gives the same bits.", {"trains"}, &repeatable, kTwoProcesses},
      {"resumes_to_the_same_bits",
       "A training that was stopped and resumed ends with the same bits as one that was not stopped.",
       {"repeatable"},
       &resumes_to_the_same_bits},
      {"no_leak", "All memory is freed.", {"trains"}, &no_leak},
      {"time_per_step", "How long does a step take?", {"trains"}, &time_per_step},
  };
  return checks;
}

}  // namespace roclip::bench::conformance
