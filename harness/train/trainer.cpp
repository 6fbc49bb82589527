#include "harness/train/trainer.h"

#include <chrono>
#include <cmath>
#include <cstdio>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/train/schedule.h"

namespace roclip::bench {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

torch::Tensor augmented_tokens(const TrainingPairs& pairs, const torch::Tensor& indices, Defense& defense,
                               TrainContext& context) {
  std::vector<std::string> captions;
  captions.reserve(static_cast<std::size_t>(indices.numel()));
  for (const auto index : std::span(indices.data_ptr<std::int64_t>(), static_cast<std::size_t>(indices.numel()))) {
    captions.push_back(defense.augment_caption(pairs.caption(index), context));
  }
  return context.model.tokenize(captions).to(context.model.device());
}

Json to_json(const TrainReport& report) {
  Json epochs = Json::array();
  for (const auto& e : report.epochs) epochs.push_back({e.epoch, e.loss, e.logit_scale, e.wall_s, e.watched});
  return {{"epochs", std::move(epochs)}, {"steps", report.steps},     {"pairs", report.pairs},
          {"wall_s", report.wall_s},     {"resumed", report.resumed}, {"trained_by", report.trained_by}};
}

TrainReport report_from_json(const Json& json) {
  TrainReport report;
  for (const auto& e : json.at("epochs")) report.epochs.push_back({e[0], e[1], e[2], e[3], e[4]});
  json.at("steps").get_to(report.steps);
  json.at("pairs").get_to(report.pairs);
  json.at("wall_s").get_to(report.wall_s);
  json.at("resumed").get_to(report.resumed);
  json.at("trained_by").get_to(report.trained_by);
  return report;
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
}

Trainer::Trainer(TrainableClip& model, const TrainingPairs& pairs, Defense& defense, const TrainingParams& params,
                 const std::vector<std::string>& vocabulary, std::uint64_t seed)
    : model_(model),
      pairs_(pairs),
      defense_(defense),
      params_(params),
      defense_rng_(stream(seed, role::kDefense)),
      augmentation_rng_(stream(seed, role::kAugmentation)),
      order_rng_(stream(seed, role::kOrder)),
      context_{.model = model_,
               .pairs = pairs_,
               .vocabulary = vocabulary,
               .rng = defense_rng_,
               .augmentation_rng = augmentation_rng_,
               .order_rng = order_rng_,
               .clock = clock_,
               .epochs = params_.epochs,
               .batch_size = params_.batch_size},
      optimizer_(model_.trainable(), {params_.beta1, params_.beta2, params_.epsilon, params_.weight_decay}) {
  if (pairs_.size() < params_.batch_size) {
    throw Error(ErrorKind::kMatrix, "training/batch_size: " + std::to_string(params_.batch_size) +
                                        " is more than the " + std::to_string(pairs_.size()) + " training pairs");
  }
  model_.train(true);
  defense_.begin(context_);
}

TrainReport Trainer::run(const TrainHooks& hooks) {
  if (!resume(hooks.checkpoints)) {
    context_.epoch = 1;
    report_.trained_by = hooks.owner;
  }
  const bool finished = context_.epoch > params_.epochs;
  for (lap_ = last_saved_ = Clock::now(); context_.epoch <= params_.epochs; ++context_.epoch) {
    if (!order_.defined()) {
      defense_.before_epoch(context_);
      order_ = defense_.choose_samples(context_);
    }
    const bool text_learns = defense_.text_learns(context_);
    const auto batches = std::min(order_.size(0) / params_.batch_size, steps_per_epoch());
    clock_.lap("epoch_setup");
    while (position_ < batches) {
      step(order_.narrow(0, position_ * params_.batch_size, params_.batch_size), text_learns);
      tell(hooks);
      if (hooks.after_step) hooks.after_step(report_.steps);
      if (hooks.stop_requested && hooks.stop_requested()) {
        checkpoint(hooks);
        throw Interrupted();
      }
      if (hooks.checkpoints && hooks.checkpoints->due(seconds_since(last_saved_))) checkpoint(hooks);
    }
    defense_.after_epoch(context_);
    report_.epochs.push_back({context_.epoch, loss_sum_ / static_cast<double>(std::max<std::int64_t>(batches, 1)),
                              model_.logit_scale().item<double>(), epoch_s_, watched(hooks)});
    order_.reset();
    position_ = 0;
    loss_sum_ = epoch_s_ = 0;
    if (hooks.checkpoints && hooks.checkpoints->due_after(context_.epoch) && context_.epoch < params_.epochs) {
      ++context_.epoch;  // that of the step to come
      checkpoint(hooks);
      --context_.epoch;
    }
  }
  if (!finished) checkpoint(hooks);
  model_.train(false);
  report_.phase_s = clock_.phases();
  return report_;
}

std::map<std::string, double> Trainer::watched(const TrainHooks& hooks) {
  if (!hooks.at_epoch_end) return {};
  model_.train(false);
  auto values = hooks.at_epoch_end();
  model_.train(true);
  clock_.lap("watch");
  return values;
}

void Trainer::repair() {
  defense_.repair(context_);
  model_.train(false);
}

void Trainer::step(const torch::Tensor& indices, bool text_learns) {
  Batch batch;
  batch.indices = indices;  // 1. sample
  const auto images = to_pixels(pairs_.images(batch.indices), model_.device());
  clock_.lap("data");
  const auto pixels = defense_.augment_images(images, context_);  // 2. augment
  batch.tokens = augmented_tokens(pairs_, batch.indices, defense_, context_);
  clock_.lap("augment");
  batch.z_img = model_.encode_image(pixels);  // 3. forward
  {
    const torch::AutoGradMode grad(text_learns);
    batch.z_txt = model_.encode_text(batch.tokens);
  }
  clock_.lap("forward");
  const auto loss = defense_.loss(batch, context_);  // 4. loss
  clock_.lap("loss");
  optimizer_.zero_grad();  // 5. backward
  loss.backward();
  clock_.lap("backward");
  const auto steps = steps_per_epoch() * params_.epochs;
  const auto warmup = std::llround(params_.warmup_share * static_cast<double>(steps));
  optimizer_.step(learning_rate_at(report_.steps, steps, warmup, params_.learning_rate));  // 6. update
  model_.clamp_logit_scale();
  defense_.after_step(context_);
  clock_.lap("optimizer");
  const double value = loss.item<double>();  // 7. account
  ++position_;
  if (!std::isfinite(value)) {
    throw Diverged("loss is " + std::to_string(value) + " at epoch " + std::to_string(context_.epoch) + " step " +
                   std::to_string(position_));
  }
  loss_sum_ += value;
  report_.steps += 1;
  report_.pairs += params_.batch_size;
  const double wall_s = seconds_since(lap_);
  lap_ = Clock::now();
  epoch_s_ += wall_s;
  report_.wall_s += wall_s;
}

void Trainer::tell(const TrainHooks& hooks) {
  if (!hooks.progress || (seconds_since(last_told_) < 0.1 && position_ < steps_per_epoch())) return;
  last_told_ = Clock::now();
  hooks.progress({context_.epoch, params_.epochs, report_.steps, steps_per_epoch() * params_.epochs,
                  loss_sum_ / static_cast<double>(position_),
                  static_cast<double>(position_ * params_.batch_size) / epoch_s_});
}

void Trainer::checkpoint(const TrainHooks& hooks) {
  if (!hooks.checkpoints) return;
  try {
    hooks.checkpoints->save(report_.steps, [&](torch::serialize::OutputArchive& archive) { save(archive); });
  } catch (const Error& e) {  // a full disk: what is trained is worth more than a way back
    std::fprintf(stderr, "%s; going on without this checkpoint\n", e.what());
  }
  last_saved_ = Clock::now();
  clock_.lap("checkpoint");
}

bool Trainer::resume(CheckpointStore* checkpoints) {
  if (!checkpoints) return false;
  return checkpoints->load([&](torch::serialize::InputArchive& archive) { load(archive); });
}

void Trainer::save(torch::serialize::OutputArchive& archive) const {
  const Json position = {{"epoch", context_.epoch},
                         {"position", position_},
                         {"loss_sum", loss_sum_},
                         {"epoch_s", epoch_s_},
                         {"rng", {defense_rng_.state(), augmentation_rng_.state(), order_rng_.state()}},
                         {"report", to_json(report_)},
                         {"phase_s", clock_.phases()}};
  archive.write("position", c10::IValue(position.dump()));
  if (order_.defined()) archive.write("order", order_);
  torch::serialize::OutputArchive optimizer(archive.compilation_unit()), buffers(archive.compilation_unit()),
      defense(archive.compilation_unit());
  optimizer_.save(optimizer);
  archive.write("optimizer", optimizer);
  std::size_t count = 0;
  for (const auto& buffer : model_.buffers()) buffers.write(std::to_string(count++), buffer);
  archive.write("buffers", buffers);
  defense_.save(defense);
  archive.write("defense", defense);
}

void Trainer::load(torch::serialize::InputArchive& archive) {
  const torch::NoGradGuard no_grad;
  torch::serialize::InputArchive optimizer, buffers, defense;
  archive.read("optimizer", optimizer);
  optimizer_.load(optimizer);
  archive.read("buffers", buffers);
  std::size_t count = 0;
  for (const auto& buffer : model_.buffers()) {
    torch::Tensor saved;
    buffers.read(std::to_string(count++), saved);
    buffer.copy_(saved);
  }
  archive.read("defense", defense);
  defense_.load(defense);
  if (!archive.try_read("order", order_)) order_.reset();
  c10::IValue text;
  archive.read("position", text);
  const Json position = Json::parse(text.toStringRef());
  context_.epoch = position.at("epoch");
  position_ = position.at("position");
  loss_sum_ = position.at("loss_sum");
  epoch_s_ = position.at("epoch_s");
  defense_rng_.set_state(position.at("rng")[0]);
  augmentation_rng_.set_state(position.at("rng")[1]);
  order_rng_.set_state(position.at("rng")[2]);
  report_ = report_from_json(position.at("report"));
  report_.resumed += 1;
  clock_.restore(position.at("phase_s"));
}

}  // namespace roclip::bench
