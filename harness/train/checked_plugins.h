/// Plugins held to their headers: what one throws names it and the hook, what it returns is checked before it is used.
#pragma once

#include <memory>
#include <string>

#include "harness/model/clip.h"
#include "roclip/attack.h"
#include "roclip/defense.h"
#include "roclip/error.h"
#include "roclip/metric.h"

namespace roclip::bench {

/// A plugin does not keep to its contract.
class ContractViolation : public Error {
 public:
  ContractViolation(const std::string& seen, std::string fix) : Error(ErrorKind::kPlugin, seen), fix_(std::move(fix)) {}
  const std::string& fix() const { return fix_; }  ///< what to do; may be ""

 private:
  std::string fix_;
};

/// @throws ContractViolation unless it holds
void expect(bool holds, const std::string& seen, const std::string& fix);

/// In a catch clause around a hook of a plugin. A message that the plugin wrote for whoever wrote the matrix file gets
/// the plugin's name in front, everything else also the hook's. @param plugin may be "", where it is known anyway
/// @throws Diverged, std::bad_alloc and LibTorch's lack of memory as they came; else ContractViolation, or Error of the
/// same kind
[[noreturn]] void rethrow_from(const std::string& plugin, const char* hook);

/// Calls a hook. @throws as rethrow_from()
template <class Work>
auto call_hook(const std::string& plugin, const char* hook, const Work& work) {
  try {
    return work();
  } catch (...) {
    rethrow_from(plugin, hook);
  }
}
bool is_out_of_memory(const std::string& message);

/// @throws ContractViolation unless `stamped` is what apply_trigger() may return for `images`
void check_stamped(const torch::Tensor& stamped, const torch::Tensor& images);
/// @throws ContractViolation unless it keeps metric.h's invariants. @param items what items of counts are below
void check_result(const MetricResult& result, const std::string& headline, std::int64_t items);

/// Stands between the harness and an attack.
class CheckedAttack final : public Attack {
 public:
  CheckedAttack(std::unique_ptr<Attack> attack, std::string name)
      : attack_(std::move(attack)), name_(std::move(name)) {}
  bool prepares() const override { return attack_->prepares(); }
  Artifact prepare(Lab& lab) const override;
  void adopt(Artifact artifact) override {
    call_hook(name_, "adopt()", [&] { attack_->adopt(std::move(artifact)); });
  }
  bool knows_defense() const override { return attack_->knows_defense(); }
  PoisonPlan plan(const AttackView& view, std::uint64_t seed) const override;
  torch::Tensor apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const override;
  std::optional<torch::Tensor> trigger_area(const torch::Tensor& images, std::span<const Draw> draws) const override {
    return call_hook(name_, "trigger_area()", [&] { return attack_->trigger_area(images, draws); });
  }
  std::vector<std::string> apply_text_trigger(std::span<const std::string> captions,
                                              std::span<const Draw> draws) const override;

 private:
  std::unique_ptr<Attack> attack_;
  std::string name_;
};

/// Stands between the trainer and a defense.
class CheckedDefense final : public Defense {
  struct Lap {
    PhaseClock* clock;
    const char* phase;
    ~Lap() {
      if (clock != nullptr) clock->lap(phase);
    }
  };
  template <class Work>
  auto call(const char* hook, const Work& work) const {
    Lap{clock_, "between hooks"};
    const Lap lap{clock_, hook};
    return call_hook(name_, hook, work);
  }

 public:
  /// @param clock laps every hook, if there is one
  /// @param look_every batches whose augmented pixels are looked at together; 0: 1 on the CPU, else 32, for the host
  /// waits whenever it looks at a GPU's
  CheckedDefense(std::unique_ptr<Defense> defense, std::string name, PhaseClock* clock = nullptr,
                 std::int64_t look_every = 0)
      : defense_(std::move(defense)), name_(std::move(name)), clock_(clock), look_every_(look_every) {}
  Capability capability() const override { return defense_->capability(); }
  std::vector<Stage> stages(const Stage& training) const override;
  void before_stage(TrainContext& context) override {
    call("before_stage()", [&] { defense_->before_stage(context); });
  }
  void before_epoch(TrainContext& context) override {
    call("before_epoch()", [&] { defense_->before_epoch(context); });
  }
  torch::Tensor choose_samples(TrainContext& context) override;
  torch::Tensor augment_images(const torch::Tensor& pixels, TrainContext& context) override;
  std::string augment_caption(const std::string& caption, TrainContext& context) override {
    return call("augment_caption()", [&] { return defense_->augment_caption(caption, context); });
  }
  bool text_requires_grad(const TrainContext& context) const override { return defense_->text_requires_grad(context); }
  torch::Tensor step(const Batch& batch, TrainContext& context) override;
  void after_step(TrainContext& context) override {
    call("after_step()", [&] { defense_->after_step(context); });
  }
  void after_epoch(TrainContext& context) override {
    call("augment_images()", [&] { look_at_pixels(); });
    call("after_epoch()", [&] { defense_->after_epoch(context); });
  }
  void after_stage(TrainContext& context) override {
    call("after_stage()", [&] { defense_->after_stage(context); });
  }
  std::optional<Suspicion> suspicion() const override;
  std::optional<torch::Tensor> input_suspicion(const torch::Tensor& pixels,
                                               const Deployment& deployment) const override;
  void save(torch::serialize::OutputArchive& archive) const override {
    call("save()", [&] { defense_->save(archive); });
  }
  void load(torch::serialize::InputArchive& archive) override {
    call("load()", [&] { defense_->load(archive); });
  }

 private:
  /// Of the batches since the last look. @throws ContractViolation
  void look_at_pixels();

  std::unique_ptr<Defense> defense_;
  std::string name_;
  PhaseClock* clock_;
  std::int64_t look_every_;
  std::int64_t not_looked_at_ = 0;     ///< batches
  torch::Tensor darkest_, brightest_;  ///< f32 [], of these, on the device
};

/// Evaluates without gradient, in evaluation mode, and holds the result and the model to metric.h.
MetricResult evaluate_checked(const Metric& metric, const std::string& name, TrainableClip& model,
                              const EvalInputs& inputs);

}  // namespace roclip::bench
