#include "harness/train/checked_plugins.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <numeric>
#include <set>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/poisoned_pairs.h"
#include "harness/record/text.h"

namespace roclip::bench {

namespace {

void check_count(const Count& count, std::int64_t items) {
  const auto expect_count = [&](bool holds, const std::string& what) {
    expect(holds, "count \"" + count.name + "\": " + what, "build counts with Count::add() or hits_at()");
  };
  const auto hits = std::accumulate(count.outcomes.begin(), count.outcomes.end(), std::int64_t{0});
  expect_count(!count.name.empty(), "has no name");
  expect_count(count.hits >= 0 && count.hits <= count.trials,
               std::to_string(count.hits) + " hits of " + std::to_string(count.trials) + " trials");
  expect_count(std::ssize(count.items) == count.trials && std::ssize(count.outcomes) == count.trials,
               std::to_string(count.items.size()) + " items and " + std::to_string(count.outcomes.size()) +
                   " outcomes for " + std::to_string(count.trials) + " trials");
  expect_count(std::ranges::all_of(count.outcomes, [](auto outcome) { return outcome <= 1; }),
               "an outcome is not 0 or 1");
  expect_count(hits == count.hits,
               std::to_string(hits) + " outcomes are hits, but it says " + std::to_string(count.hits));
  expect_count(std::ranges::is_sorted(count.items), "items are not ascending");
  expect_count(count.items.empty() || (count.items.front() >= 0 && count.items.back() < items),
               "an item is neither a held-out image nor a training pair");
}

}  // namespace

void expect(bool holds, const std::string& seen, const std::string& fix) {
  if (!holds) throw ContractViolation(seen, fix);
}

bool is_out_of_memory(const std::string& message) {
  return message.find("allocate memory") != std::string::npos || message.find("out of memory") != std::string::npos;
}

void rethrow_from(const std::string& plugin, const char* hook) {
  const std::string by = plugin.empty() ? "" : plugin + ": ";
  const auto throws = [&](const std::string& what) {
    return ContractViolation(by + hook + " throws: " + what,
                             "find what throws it; what a matrix file may cause is for roclip::Error to say");
  };
  try {
    throw;
  } catch (const Diverged&) {
    throw;
  } catch (const RanksLost&) {
    throw;
  } catch (const ContractViolation& e) {
    throw ContractViolation(by + e.what(), e.fix());
  } catch (const Error& e) {
    throw Error(e.kind(), by + e.what());
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const c10::Error& e) {
    const std::string message = e.what_without_backtrace();  // LibTorch's message without its stack trace
    if (is_out_of_memory(message)) throw;
    throw ContractViolation(by + "in " + hook + " LibTorch says: " + message, "check shapes and types");
  } catch (const std::exception& e) {
    throw throws(e.what());
  } catch (...) {
    throw throws("something that is not a std::exception");
  }
}

void check_stamped(const torch::Tensor& stamped, const torch::Tensor& images) {
  expect(stamped.defined() && stamped.sizes() == images.sizes() && stamped.scalar_type() == torch::kUInt8,
         "apply_trigger() gives something else than uint8 images of the same shape",
         "return a uint8 tensor of the shape of the argument; clamp to 0..255 before converting");
}

void check_result(const MetricResult& result, const std::string& headline, std::int64_t items) {
  const bool empty = result.counts.empty() && result.values.empty();
  expect(empty != result.not_applicable.empty(),
         empty ? "there are no counts, no values and no reason why"
               : "there are counts or values, and a reason why there are none",
         "fill counts or values, or else not_applicable");
  std::set<std::string> names;
  const auto expect_new = [&](const std::string& name) {
    expect(names.insert(name).second, "two counts or values have the name \"" + name + "\"",
           "give each a name of its own");
  };
  for (const auto& count : result.counts) {
    check_count(count, items);
    expect(count.trials > 0, "count \"" + count.name + "\" has no trials",
           "leave it out, or say in not_applicable why there is nothing to count");
    expect_new(count.name);
  }
  for (const auto& value : result.values) {
    expect(!value.name.empty() && !value.unit.empty(), "a value has no name or no unit", "fill name and unit");
    expect(std::isfinite(value.value), "value \"" + value.name + "\" is not a finite number",
           "leave it out, or say in not_applicable why there is none");
    expect_new(value.name);
  }
  expect(empty || names.contains(headline), "headline() says \"" + headline + "\", but there is no such count or value",
         "return the name of one that is always there");
  expect(result.details.empty() || Json::parse(result.details, nullptr, false).is_object(),
         "details is no JSON object: " + result.details.substr(0, 80), "return Json{...}.dump()");
}

Artifact CheckedAttack::prepare(Lab& lab) const {
  return call_hook(name_, "prepare()", [&] {
    Artifact artifact = attack_->prepare(lab);
    for (auto& [name, tensor] : artifact) {
      const bool known = tensor.defined() && (tensor.scalar_type() == torch::kUInt8 ||
                                              tensor.scalar_type() == torch::kLong || tensor.is_floating_point());
      expect(known && tensor.is_cpu(), "the artifact's \"" + name + "\" is no tensor of u8, i64, f32 or f64 on the CPU",
             "call .cpu(), and convert to one of these types");
      tensor = tensor.detach().contiguous();
    }
    return artifact;
  });
}

PoisonPlan CheckedAttack::plan(const AttackView& view, std::uint64_t seed) const {
  try {
    const auto plan = attack_->plan(view, seed);
    check_plan(plan, view);
    return plan;
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::kMatrix) throw;  // what the matrix asks too much; its reader knows of which entry
    rethrow_from(name_, "plan()");
  } catch (...) {
    rethrow_from(name_, "plan()");
  }
}

torch::Tensor CheckedAttack::apply_trigger(const torch::Tensor& images, std::span<const Draw> draws) const {
  return call_hook(name_, "apply_trigger()", [&] {
    // A copy: images of a data set are memory that may only be read.
    const auto stamped = attack_->apply_trigger(images.clone(), draws);
    check_stamped(stamped, images);
    return stamped.contiguous();
  });
}

std::vector<std::string> CheckedAttack::apply_text_trigger(std::span<const std::string> captions,
                                                           std::span<const Draw> draws) const {
  return call_hook(name_, "apply_text_trigger()", [&] {
    auto triggered = attack_->apply_text_trigger(captions, draws);
    expect(triggered.size() == captions.size(),
           "apply_text_trigger() gives " + std::to_string(triggered.size()) + " texts for " +
               std::to_string(captions.size()),
           "return one text for each caption");
    return triggered;
  });
}

std::vector<Stage> CheckedDefense::stages(const Stage& training) const {
  return call("stages()", [&] {
    auto stages = defense_->stages(training);
    expect(!stages.empty(), "stages() gives no stage", "return at least {training}");
    std::set<std::string> names;
    bool own = false;
    for (const auto& stage : stages) {
      const auto expect_stage = [&](bool holds, const std::string& what, const std::string& fix) {
        expect(holds, "stage \"" + stage.name + "\" " + what, fix);
      };
      expect_stage(!stage.name.empty() &&
                       stage.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos,
                   "has a name of other letters than a-z0-9_", "name it like finetune");
      expect_stage(names.insert(stage.name).second, "is there twice", "give each stage a name of its own");
      expect_stage(stage.epochs >= 1 && stage.batch_size >= 2 && stage.learning_rate >= 0 && stage.warmup_share >= 0 &&
                       stage.warmup_share <= 1,
                   "has epochs, batch size, learning rate or warm-up out of range",
                   "give it at least one epoch and two pairs a batch");
      expect_stage(stage.epochs_ahead >= 0, "has epochs_ahead below 0", "0 is the schedule as it is");
      expect_stage(!(stage.plain && own), "is plain, but comes after a stage that is not",
                   "mark as plain only the stages that training begins with");
      own |= !stage.plain;
    }
    return stages;
  });
}

torch::Tensor CheckedDefense::choose_samples(TrainContext& context) {
  return call("choose_samples()", [&] {
    const auto samples = defense_->choose_samples(context);
    const std::string fix = "return i64 [n] on the CPU, at least a batch, each in [0, context.pairs.size())";
    expect(samples.defined() && samples.scalar_type() == torch::kLong && samples.dim() == 1 && samples.is_cpu(),
           "choose_samples() gives something else than one row of i64", fix);
    expect(samples.numel() >= context.stage.batch_size,
           "choose_samples() gives " + std::to_string(samples.numel()) + " pairs, less than a batch", fix);
    const auto least = samples.min().item<std::int64_t>(), most = samples.max().item<std::int64_t>();
    expect(least >= 0 && most < context.pairs.size(),
           "choose_samples() gives indices from " + std::to_string(least) + " to " + std::to_string(most) + " for " +
               std::to_string(context.pairs.size()) + " pairs",
           fix);
    return samples.contiguous();
  });
}

namespace {

constexpr const char* kFixPixels = "return f32 of the shape of the argument, in 0..1: clamp at the end";

}  // namespace

torch::Tensor CheckedDefense::augment_images(const torch::Tensor& pixels, TrainContext& context) {
  return call("augment_images()", [&] {
    auto augmented = defense_->augment_images(pixels, context);
    expect(augmented.defined() && augmented.sizes() == pixels.sizes() && augmented.scalar_type() == torch::kFloat,
           "augment_images() gives another shape or type", kFixPixels);
    const auto [low, high] = torch::aminmax(augmented.detach());
    darkest_ = not_looked_at_ == 0 ? low : torch::minimum(darkest_, low);
    brightest_ = not_looked_at_ == 0 ? high : torch::maximum(brightest_, high);
    const auto look_every = look_every_ > 0 ? look_every_ : augmented.is_cpu() ? 1 : 32;
    if (++not_looked_at_ >= look_every) look_at_pixels();
    return augmented;
  });
}

void CheckedDefense::look_at_pixels() {
  if (not_looked_at_ == 0) return;
  not_looked_at_ = 0;
  const auto least = darkest_.item<double>(), most = brightest_.item<double>();
  constexpr double kRounding = 1e-5;
  expect(least >= -kRounding && most <= 1 + kRounding,
         format("augment_images() gives pixels from %g to %g", least, most), kFixPixels);
}

torch::Tensor CheckedDefense::step(const Batch& batch, TrainContext& context) {
  return call("step()", [&] {
    auto loss = defense_->step(batch, context);
    expect(loss.defined() && loss.dim() == 0 && loss.scalar_type() == torch::kFloat,
           "step() or loss() gives something else than one f32", "return a scalar: .mean()");
    expect(loss.requires_grad(), "step() or loss() gives a value without a gradient",
           "compute it from the embeddings, without detach(), item() or NoGradGuard in between");
    return loss;
  });
}

std::optional<Suspicion> CheckedDefense::suspicion() const {
  return call("suspicion()", [&] {
    auto suspicion = defense_->suspicion();
    if (!suspicion) return suspicion;
    const auto& scores = suspicion->scores;
    expect(scores.defined() && scores.dim() == 1 && scores.scalar_type() == torch::kDouble && scores.is_cpu() &&
               scores.isfinite().all().item<bool>(),
           "suspicion() gives something else than one row of finite f64", "return f64 [N] on the CPU");
    return suspicion;
  });
}

std::optional<torch::Tensor> CheckedDefense::input_suspicion(const torch::Tensor& pixels,
                                                             const Deployment& deployment) const {
  return call("input_suspicion()", [&] {
    auto scores = defense_->input_suspicion(pixels, deployment);
    if (!scores) return scores;
    expect(scores->defined() && scores->sizes() == torch::IntArrayRef{pixels.size(0)} &&
               scores->scalar_type() == torch::kDouble && scores->is_cpu() && scores->isfinite().all().item<bool>(),
           "input_suspicion() gives something else than one finite f64 for each image", "return f64 [B] on the CPU");
    return scores;
  });
}

MetricResult evaluate_checked(const Metric& metric, const std::string& name, TrainableClip& model,
                              const EvalInputs& inputs) {
  const auto weights = model.weights_hash();
  const auto result = call_hook(name, "evaluate()", [&] {
    const torch::NoGradGuard no_grad;
    auto evaluated = metric.evaluate(model, inputs);
    check_result(evaluated, metric.headline(), std::max(inputs.data.held_out.size(), std::ssize(inputs.poisoned)));
    expect(model.weights_hash() == weights, "evaluate() changes weights or batch statistics of the model",
           "undo what it changes; work on a copy");
    return evaluated;
  });
  model.train(false);  // for the next metric, should this one have left it otherwise
  return result;
}

}  // namespace roclip::bench
