#include "harness/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <span>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/record/torch_compat.h"

namespace roclip::bench {

namespace {

using Clock = std::chrono::steady_clock;

/// Weights and buffers.
std::vector<torch::Tensor> state_of(TrainableClip& model) {
  auto state = model.trainable();
  for (const auto& buffer : model.buffers()) state.push_back(buffer);
  return state;
}

}  // namespace

void TrainingParams::declare(ParamList& list) {
  const char* ours = "tuned on emoji, see results/emoji-quick";
  list.add("epochs", epochs, Range{1, 100000}, "epochs", "passes over the training pairs", ours);
  list.add("batch_size", batch_size, Range{2, 65536}, "pairs", "pairs a step; each is a negative of the others", ours);
  list.add("learning_rate", learning_rate, Range{0, 1}, "1", "peak, after warm-up", ours);
  list.add("warmup_share", warmup_share, Range{0, 1}, "1", "share of all steps with a rising learning rate", ours);
  list.add("weight_decay", weight_decay, Range{0, 1}, "1", "AdamW; not on norms, biases and temperature",
           "BigML-CS-UCLA/RoCLIP parser.py");
  list.add("beta1", beta1, Range{0, 0.9999}, "1", "AdamW", "BigML-CS-UCLA/RoCLIP parser.py");
  list.add("beta2", beta2, Range{0, 0.99999}, "1", "AdamW", "Radford et al. 2021, table 20");
  list.add("epsilon", epsilon, Range{0, 1}, "1", "AdamW", "BigML-CS-UCLA/RoCLIP parser.py");
  list.add("image_rate", image_rate, Range{0, 1000}, "1", "of the learning rate, for the image tower; 0 = frozen",
           "ours: both towers alike");
  list.add("text_rate", text_rate, Range{0, 1000}, "1", "of the learning rate, for the text tower; 0 = frozen",
           "ours: both towers alike");
  list.add("max_gradient", max_gradient, Range{0, 1e6}, "1",
           "the gradient of all weights is shortened to it; 0 = never", "open_clip: not by default");
  list.choice("precision", precision, {"f32", "tf32", "bf16"}, "of products and convolutions; tf32 on a GPU only",
              "ours");
  list.add("deterministic", deterministic, "equal bits on a GPU too, at some cost in time; the CPU always gives them",
           "ours");
  list.add("recompute_layers", recompute_layers,
           "whether the activations within layers are computed again in the backward pass: less memory, more time",
           "ours");
  list.add("micro_batch", micro_batch, Range{0, 65536}, "pairs",
           "whose activations are kept at once; the others are computed twice; 0 = the whole batch", "ours");
}

Stage TrainingParams::stage() const {
  return {.epochs = epochs, .batch_size = batch_size, .learning_rate = learning_rate, .warmup_share = warmup_share};
}

std::int64_t TrainReport::steps() const {
  std::int64_t steps = 0;
  for (const auto& stage : stages) steps += stage.steps;
  return steps;
}

double learning_rate_at(std::int64_t step, std::int64_t total, std::int64_t warmup, double peak) {
  if (step < warmup) return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const double progress = static_cast<double>(step - warmup) / static_cast<double>(total - warmup);
  return peak * 0.5 * (1 + std::cos(std::numbers::pi * progress));
}

std::size_t plain_prefix(const std::vector<Stage>& stages) {
  return static_cast<std::size_t>(std::ranges::find(stages, false, &Stage::plain) - stages.begin());
}

Trainer::Trainer(TrainableClip& model, Defense& defense, const TrainingParams& params, const TrainInputs& inputs)
    : model_(model),
      defense_(defense),
      params_(params),
      ranks_(inputs.ranks),
      stages_(defense.stages(params.stage())),
      defense_rng_(stream(inputs.seed, role::kDefense)),
      augmentation_rng_(stream(inputs.seed, role::kAugmentation)),
      order_rng_(stream(inputs.seed, role::kOrder)),
      clock_(timeline_of(model.device())),
      context_{.model = model_,
               .pairs = inputs.pairs,
               .clean_subset = inputs.clean_subset,
               .poisoned = inputs.poisoned,
               .vocabulary = inputs.vocabulary,
               .rng = defense_rng_,
               .augmentation_rng = augmentation_rng_,
               .order_rng = order_rng_,
               .clock = clock_} {
  model_.use(model_use(ranks_));
  if (!model_.device().is_cpu()) set_gpu_policy(params.precision == "tf32", params.deterministic);
  for (const auto& stage : stages_) {
    const auto key = "training/batch_size: " + std::to_string(stage.batch_size);
    if (inputs.pairs.size() < stage.batch_size) {
      throw Error(ErrorKind::kMatrix,
                  key + " is more than the " + std::to_string(inputs.pairs.size()) + " training pairs");
    }
    if (stage.batch_size % ranks_.size() != 0) {
      throw Error(ErrorKind::kMatrix, key + " is no multiple of the " + std::to_string(ranks_.size()) +
                                          " ranks that share it out; take another batch_size or --ranks");
    }
  }
  const bool resets = std::ranges::find(stages_, Stage::Weights::kReset, &Stage::weights) != stages_.end();
  if (!resets) return;
  for (const auto& tensor : state_of(model_)) initial_.push_back(tensor.detach().clone());
}

ModelUse Trainer::model_use(const Ranks& ranks) const {
  return {.image_rate = params_.image_rate,
          .text_rate = params_.text_rate,
          .bf16 = params_.precision == "bf16",
          .recompute_layers = params_.recompute_layers,
          .micro_batch = params_.micro_batch,
          .ranks = &ranks};
}

TrainReport Trainer::run(const TrainHooks& hooks) {
  resume(hooks);
  expect_equal_weights("before the first step");
  ready_images(hooks);
  lap_ = last_saved_ = Clock::now();
  while (stage_ < stages_.size()) {
    if (context_.epoch == 0) begin_stage();
    const char* own = plain_prefix(stages_) > 0 ? "after_training" : "in_training";
    const char* role = stage().plain ? "plain" : stage().weights == Stage::Weights::kReset ? "anew" : own;
    if (report_.stages.size() == stage_) report_.stages.push_back({stage().name, 0, 0, 0, hooks.owner, role});
    while (context_.epoch <= stage().epochs) train_epoch(hooks);
    end_stage(hooks);
  }
  model_.train(false);
  model_.use(model_use(Ranks::alone()));
  report_.phase_s = clock_.phases();
  return report_;
}

/// On a GPU, if they fit; else read ahead where they come slowly or have to be copied to a GPU.
void Trainer::ready_images(const TrainHooks& hooks) {
  constexpr double kShareOfMemory = 0.25;
  const auto& pairs = context_.pairs;
  const bool on_gpu = !model_.device().is_cpu();
  const auto side = static_cast<double>(pairs.image_px());
  const auto memory = gpu_memory(model_.device());
  const bool fits =
      memory && static_cast<double>(pairs.size()) * 3 * side * side < kShareOfMemory * memory->free * 1048576;
  const bool resident = hooks.resident.value_or(fits);
  if (!resident && !on_gpu && !pairs.is_slow()) return;
  constexpr std::int64_t kAhead = 4;
  loader_ = std::make_unique<Loader>(pairs, hooks.loader_threads, std::max<std::int64_t>(kAhead, hooks.loader_threads),
                                     /*pinned=*/on_gpu);
  if (!resident) return;
  constexpr std::int64_t kChunk = 64;
  const auto count = pairs.size(), whole = count / kChunk * kChunk;
  resident_ = torch::empty({count, 3, pairs.image_px(), pairs.image_px()},
                           torch::TensorOptions(torch::kByte).device(model_.device()));
  loader_->start(torch::arange(whole, torch::kLong), kChunk);
  for (std::int64_t first = 0; first < whole; first += kChunk) {
    resident_.narrow(0, first, kChunk).copy_(loader_->next(), /*non_blocking=*/true);
  }
  resident_.narrow(0, whole, count - whole).copy_(pairs.images(whole, count));
  loader_.reset();
}

void Trainer::begin_stage() {
  model_.train(true);
  context_.stage = stage();
  context_.epoch = 0;
  hooked().before_stage(context_);
  if (stage().weights == Stage::Weights::kReset && stage_ > 0) {
    const torch::NoGradGuard no_grad;
    const auto state = state_of(model_);
    for (std::size_t i = 0; i < state.size(); ++i) state[i].copy_(initial_[i]);
  }
  make_optimizer();
  model_.train(true);
  context_.epoch = 1;
}

void Trainer::make_optimizer() {
  optimizer_ = std::make_unique<AdamW>(
      model_.trainable(), AdamWOptions{params_.beta1, params_.beta2, params_.epsilon, params_.weight_decay},
      model_.rates(), ranks_.size() > 1 ? std::optional(true) : std::nullopt);
}

void Trainer::train_epoch(const TrainHooks& hooks) {
  if (!order_.defined()) {
    tell_progress();
    hooked().before_epoch(context_);
    order_ = hooked().choose_samples(context_);
  }
  batches_ = order_.size(0) / stage().batch_size;
  if (loader_) {
    const auto done = position_ * stage().batch_size;
    const auto ahead = order_.narrow(0, done, batches_ * stage().batch_size - done);
    const auto by_place = ahead.view({-1, stage().batch_size}).t();
    loader_->start(ranks_.own_rows(by_place).t().flatten(), stage().batch_size / ranks_.size());
  }
  const auto losses_at_once = hooks.losses_at_once > 0 ? hooks.losses_at_once : model_.device().is_cpu() ? 1 : 32;
  clock_.lap("epoch_setup");
  while (position_ < batches_) {
    step(order_.narrow(0, position_ * stage().batch_size, stage().batch_size));
    if (std::ssize(losses_) >= losses_at_once) read_losses();
    tell(hooks);
    if (hooks.after_step) hooks.after_step(report_.steps());
    auto* store = store_of(hooks, stage_);
    if (ranks_.any(hooks.stop_requested && hooks.stop_requested())) {
      checkpoint(store);
      throw Interrupted();
    }
    if (store && store->due(seconds_since(last_saved_))) checkpoint(store);
  }
  read_losses();
  expect_equal_weights("after epoch " + std::to_string(context_.epoch) + " of stage " + stage().name);
  hooked().after_epoch(context_);
  report_.epochs.push_back({stage().name, context_.epoch,
                            loss_sum_ / static_cast<double>(std::max<std::int64_t>(batches_, 1)),
                            model_.logit_scale().item<double>(), epoch_s_, watched(hooks)});
  order_.reset();
  position_ = 0;
  loss_sum_ = epoch_s_ = 0;
  const auto epoch = context_.epoch++;
  auto* store = store_of(hooks, stage_);
  if (store && store->due_after(epoch) && context_.epoch <= stage().epochs) checkpoint(store);
}

/// Each rank has them by gradients that it has shared with the others.
void Trainer::expect_equal_weights(const std::string& when) const {
  if (ranks_.size() == 1) return;
  const auto own = model_.weights_hash();
  if (!ranks_.any(ranks_.from_first(own) != own)) return;
  throw Error(ErrorKind::kInternal, "the ranks' weights differ " + when +
                                        ": their programs, data or processors are not alike, or the defense " +
                                        "changes weights by gradients of its own; train this cell in one process");
}

/// The model and the defense as the next stage finds them; kept where other cells share them, and at the end.
void Trainer::end_stage(const TrainHooks& hooks) {
  model_.train(false);
  hooked().after_stage(context_);
  expect_equal_weights("after stage " + stage().name);
  model_.train(false);
  auto* store = store_of(hooks, stage_);
  ++stage_;
  context_.epoch = 0;
  if (stage_ == stages_.size() || store != store_of(hooks, stage_)) checkpoint(store);
}

std::map<std::string, double> Trainer::watched(const TrainHooks& hooks) {
  if (!hooks.at_epoch_end) return {};
  model_.train(false);
  auto values = hooks.at_epoch_end();
  model_.train(true);
  clock_.lap("watch");
  return values;
}

/// As learning_rate(): as if every epoch of the stage were as long as this one.
void Trainer::tell_progress() {
  const auto in_epoch = position_ == 0 ? 0 : static_cast<double>(position_) / static_cast<double>(batches_);
  context_.progress = (static_cast<double>(context_.epoch - 1) + in_epoch) / static_cast<double>(stage().epochs);
}

void Trainer::step(const torch::Tensor& indices) {
  tell_progress();
  Batch batch;
  batch.indices = indices;  // 1. sample
  const auto images = resident_.defined() ? resident_.index_select(0, to_device(indices, model_.device()))
                      : loader_           ? ranks_.gathered(loader_->next())
                                          : context_.pairs.images(batch.indices);
  clock_.lap("data");
  batch.pixels = hooked().augment_images(to_pixels(images, model_.device()), context_);  // 2. augment
  for (const auto index : std::span(indices.data_ptr<std::int64_t>(), static_cast<std::size_t>(indices.numel()))) {
    batch.captions.push_back(hooked().augment_caption(context_.pairs.caption(index), context_));
  }
  batch.tokens = to_device(model_.tokenize(batch.captions), model_.device());
  clock_.lap("augment");
  const auto loss = hooked().step(batch, context_);  // 3. forward, loss
  clock_.lap("loss");
  optimizer_->zero_grad();  // 4. backward
  loss.backward();
  optimizer_->sum_gradients(ranks_);
  if (params_.max_gradient > 0) optimizer_->shorten_gradient(params_.max_gradient);
  clock_.lap("backward");
  optimizer_->step(learning_rate());  // 5. update
  model_.clamp_logit_scale();
  hooked().after_step(context_);
  clock_.lap("optimizer");
  losses_.push_back(loss.detach());  // 6. account
  ++position_;
  auto& done = report_.stages[stage_];
  done.steps += 1;
  done.pairs_seen += stage().batch_size;
  const double wall_s = seconds_since(lap_);
  lap_ = Clock::now();
  epoch_s_ += wall_s;
  done.wall_s += wall_s;
}

void Trainer::read_losses() {
  if (losses_.empty()) return;
  const auto values = torch::stack(losses_).to(torch::kCPU, torch::kDouble);
  auto step = position_ - std::ssize(losses_);
  losses_.clear();
  for (const double loss : std::span(values.data_ptr<double>(), static_cast<std::size_t>(values.numel()))) {
    ++step;
    if (!std::isfinite(loss)) {
      throw Diverged("loss is " + std::to_string(loss) + " in stage " + stage().name + " at epoch " +
                     std::to_string(context_.epoch) + " step " + std::to_string(step));
    }
    loss_sum_ += loss;
  }
}

/// As if every epoch of the stage were as long as this one, so that the schedule ends with the stage, however many
/// pairs a defense chooses.
double Trainer::learning_rate() const {
  const auto steps = batches_ * stage().epochs;
  const auto done = batches_ * (context_.epoch - 1 + stage().epochs_ahead) + position_;
  const auto warmup = std::llround(stage().warmup_share * static_cast<double>(steps));
  return learning_rate_at(done, steps, warmup, stage().learning_rate);
}

void Trainer::tell(const TrainHooks& hooks) {
  if (!ranks_.is_first() || !hooks.progress || (seconds_since(last_told_) < 0.1 && position_ < batches_)) return;
  read_losses();
  last_told_ = Clock::now();
  std::int64_t epochs = 0, epoch = context_.epoch, steps_left = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    epochs += stages_[i].epochs;
    if (i < stage_) epoch += stages_[i].epochs;
    if (i > stage_) steps_left += context_.pairs.size() / stages_[i].batch_size * stages_[i].epochs;
  }
  steps_left += batches_ * (stage().epochs - context_.epoch) + batches_ - position_;
  const auto steps = report_.steps();
  hooks.progress({stage().name, epoch, epochs, steps, steps + steps_left, loss_sum_ / static_cast<double>(position_),
                  static_cast<double>(position_ * stage().batch_size) / epoch_s_});
}

}  // namespace roclip::bench
