#include <chrono>
#include <cmath>
#include <map>
#include <memory>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/config/matrix.h"
#include "harness/engine/conformance/check.h"
#include "harness/engine/conformance/file_watch.h"
#include "harness/engine/conformance/small_training.h"
#include "roclip/defense.h"

namespace roclip::bench::conformance {

namespace {

std::unique_ptr<Defense> make(const Subject& subject) {
  const WatchedCall watch("the constructor");
  return std::unique_ptr<Defense>(subject.plugin.make_defense(subject.params));
}

void expect(bool holds, const std::string& seen, const std::string& fix) {
  if (!holds) throw Broken(seen, fix);
}

/// Stands between the trainer and a defense: names and times every call, and holds what comes back to defense.h.
class CheckedDefense final : public Defense {
 public:
  explicit CheckedDefense(const Subject& subject) : defense_(make(subject)) {}

  Capability capability() const override { return defense_->capability(); }
  std::string training_name() const override { return defense_->training_name(); }

  void begin(TrainContext& context) override {
    const Call call(*this, "begin()");
    defense_->begin(context);
  }
  void before_epoch(TrainContext& context) override {
    const Call call(*this, "before_epoch()");
    defense_->before_epoch(context);
  }
  torch::Tensor choose_samples(TrainContext& context) override {
    const auto samples = [&] {
      const Call call(*this, "choose_samples()");
      return defense_->choose_samples(context);
    }();
    const std::string fix = "return i64 [n] on the CPU, each in [0, context.pairs.size())";
    expect(samples.defined() && samples.scalar_type() == torch::kLong && samples.dim() == 1 && samples.is_cpu(),
           "choose_samples() gives something else than one row of i64", fix);
    expect(samples.numel() >= context.batch_size, "choose_samples() gives less than a batch", fix);
    const auto least = samples.min().item<std::int64_t>(), most = samples.max().item<std::int64_t>();
    expect(least >= 0 && most < context.pairs.size(),
           "choose_samples() gives indices from " + std::to_string(least) + " to " + std::to_string(most) + " for " +
               std::to_string(context.pairs.size()) + " pairs",
           fix);
    return samples.contiguous();
  }
  torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext& context) override {
    const auto augmented = [&] {
      const Call call(*this, "augment_images()");
      return defense_->augment_images(pixels, context);
    }();
    const std::string fix = "return f32 of the shape of the argument, in 0..1: clamp at the end";
    expect(augmented.defined() && augmented.sizes() == pixels.sizes() && augmented.scalar_type() == torch::kFloat,
           "augment_images() gives another shape or type", fix);
    const auto least = augmented.min().item<double>(), most = augmented.max().item<double>();
    constexpr double kRounding = 1e-5;
    expect(least >= -kRounding && most <= 1 + kRounding,
           "augment_images() gives pixels from " + text_of("%g", least) + " to " + text_of("%g", most), fix);
    return augmented;
  }
  std::string augment_caption(const std::string& caption, TrainContext& context) override {
    const Call call(*this, "augment_caption()");
    return defense_->augment_caption(caption, context);
  }
  bool text_learns(const TrainContext& context) const override { return defense_->text_learns(context); }
  torch::Tensor loss(const Batch& batch, TrainContext& context) override {
    const auto loss = [&] {
      const Call call(*this, "loss()");
      return defense_->loss(batch, context);
    }();
    expect(loss.defined() && loss.numel() == 1 && loss.dim() == 0 && loss.scalar_type() == torch::kFloat,
           "loss() gives something else than one f32", "return a scalar: .mean()");
    expect(loss.requires_grad(), "loss() gives a value without a gradient",
           "compute it from batch.z_img or batch.z_txt, without detach(), item() or NoGradGuard in between");
    return loss;
  }
  void after_step(TrainContext& context) override {
    const Call call(*this, "after_step()");
    defense_->after_step(context);
  }
  void after_epoch(TrainContext& context) override {
    const Call call(*this, "after_epoch()");
    defense_->after_epoch(context);
  }
  void repair(TrainContext& context) override {
    const Call call(*this, "repair()");
    defense_->repair(context);
  }
  void save(torch::serialize::OutputArchive& archive) const override {
    const Call call(*this, "save()");
    defense_->save(archive);
  }
  void load(torch::serialize::InputArchive& archive) override {
    const Call call(*this, "load()");
    defense_->load(archive);
  }

  /// Wall time by hook.
  const std::map<std::string, double>& hook_s() const { return hook_s_; }

 private:
  class Call {
   public:
    Call(const CheckedDefense& defense, const char* name) : defense_(defense), name_(name), watch_(name) {}
    ~Call() {
      defense_.hook_s_[name_] += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    const CheckedDefense& defense_;
    const char* name_;
    WatchedCall watch_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  };

  std::unique_ptr<Defense> defense_;
  mutable std::map<std::string, double> hook_s_;
};

/// @return hash of the weights at the end
std::string trained(const Subject& subject, const TrainHooks& hooks = {}) {
  CheckedDefense defense(subject);
  SmallTraining training(subject.data, defense);
  training.run(hooks);
  return training.model().weights_hash();
}

Finding trains(const Subject& subject) {
  CheckedDefense defense(subject);
  if (defense.capability() != Capability::kPoisonedPairs) {
    return skipped("it needs a clean subset, which no data set of this version provides: `run` skips its cells");
  }
  SmallTraining training(subject.data, defense);
  const auto report = training.run();
  for (const auto& weights : training.model().trainable()) {
    expect(weights.isfinite().all().item<bool>(), "after repair() the model has weights that are not finite",
           "check what repair() does to the weights");
  }
  const double first = report.epochs.front().loss, last = report.epochs.back().loss;
  return {text_of("loss %.2f in the first epoch, ", first) + text_of("%.2f in the last, ", last) +
              std::to_string(report.steps) + " steps",
          {{"first_loss", first}, {"last_loss", last}, {"steps", report.steps}}};
}

Finding trains_as_it_says(const Subject& subject) {
  CheckedDefense defense(subject);
  const auto name = defense.training_name();
  if (name.empty()) return skipped("it says that its training is its own");
  if (name != kPlainTraining) return skipped("only defenses that also say \"" + name + "\" could be compared");
  Defense plain;
  SmallTraining own(subject.data, defense), control(subject.data, plain);
  own.trainer().run({});
  control.trainer().run({});
  expect(own.model().weights_hash() == control.model().weights_hash(),
         "training_name() says \"plain\", but the weights before repair() are not those of plain CLIP training",
         "override repair() only, or return \"\" from training_name()");
  return {"before repair() it has the bits of plain CLIP training"};
}

Finding repeatable(const Subject& subject) {
  expect(trained(subject) == trained(subject), "the same seed trains other weights at the second time",
         "draw from context.rng and context.augmentation_rng only; keep no state in statics; use no clock");
  return {"equal bits twice"};
}

Finding resumes_to_the_same_bits(const Subject& subject) {
  constexpr auto kSteps = SmallTraining::kStepsPerEpoch;
  const auto undisturbed = trained(subject);
  const std::string fix =
      "write in save(), and read in load(), all that changes after begin(): counters, pools, "
      "scores; draw from context.rng, which is saved, not from torch's global generator";
  CheckpointStore each_epoch(subject.scratch / "each epoch", {.every_s = 0, .every_epochs = 1});
  TrainHooks saving;
  saving.checkpoints = &each_epoch;
  expect(trained(subject, saving) == undisturbed, "a training that is saved after each epoch ends with other bits",
         "let save() change nothing");
  const std::int64_t stops[] = {1, 4, kSteps, kSteps + 1, 2 * kSteps + 5, 3 * kSteps - 1, 4 * kSteps};
  for (const auto stop : stops) {
    CheckpointStore checkpoints(subject.scratch / std::to_string(stop), {});
    TrainHooks hooks;
    hooks.checkpoints = &checkpoints;
    hooks.stop_requested = [stop, done = std::int64_t{0}]() mutable { return ++done == stop; };
    try {
      trained(subject, hooks);
    } catch (const Interrupted&) {
    }
    hooks.stop_requested = nullptr;
    expect(trained(subject, hooks) == undisturbed,
           "stopped after step " + std::to_string(stop) + " of " + std::to_string(4 * kSteps) +
               " and resumed by another object, it ends with other bits",
           fix);
  }
  return {"equal bits after stops at " + std::to_string(std::size(stops)) + " places"};
}

Finding files(const Subject& subject, FileUse file_use) {
  {
    Defense plain;
    SmallTraining(subject.data, plain, /*epochs=*/1).run();  // whatever LibTorch opens at first use
  }
  return check_files(subject, file_use, [&] {
    CheckedDefense defense(subject);
    SmallTraining(subject.data, defense).run();
    torch::serialize::OutputArchive archive;
    defense.save(archive);
  });
}

Finding no_leak(const Subject& subject) {
  return check_no_leak([&] {
    CheckedDefense defense(subject);
    SmallTraining(subject.data, defense, /*epochs=*/2).run();
  });
}

Finding time_per_step(const Subject& subject) {
  CheckedDefense defense(subject);
  SmallTraining training(subject.data, defense);
  const auto report = training.run();
  const double step_s = report.wall_s / static_cast<double>(report.steps);
  Json shares = Json::object();
  std::string text = "a step of this small model takes " + duration(step_s);
  for (const auto& [hook, seconds] : defense.hook_s()) {
    const double share = seconds / report.wall_s;
    shares[hook] = share;
    if (share >= 0.02) text += ", " + hook + text_of(" %.0f %% of it", 100 * share);
  }
  return {text, {{"step_s", step_s}, {"shares", shares}}};
}

}  // namespace

const std::vector<Check>& defense_checks() {
  static const std::vector<Check> checks = {
      {"parameters", "Wrong values are refused, and allowed ones can be used.", {}, &check_parameters},
      {"trains", "A small model trains, and every hook keeps to its contract.", {}, &trains},
      {"repeatable", "The same seed trains the same bits.", {"trains"}, &repeatable},
      {"resumes_to_the_same_bits",
       "A training that was stopped and resumed ends with the bits of one that was not.",
       {"repeatable"},
       &resumes_to_the_same_bits},
      {"trains_as_it_says", "training_name() is true.", {"repeatable"}, &trains_as_it_says},
      {"reads_only_what_is_granted",
       "It knows what its capability grants and opens no file.",
       {"trains"},
       [](const Subject& subject) { return files(subject, FileUse::kReading); }},
      {"writes_no_files",
       "It makes, changes and deletes no file.",
       {"trains"},
       [](const Subject& subject) { return files(subject, FileUse::kWriting); }},
      {"no_leak", "Memory comes back.", {"trains"}, &no_leak},
      {"time_per_step", "How long it takes.", {"trains"}, &time_per_step},
  };
  return checks;
}

}  // namespace roclip::bench::conformance
