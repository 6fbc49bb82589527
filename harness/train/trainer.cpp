#include "harness/train/trainer.h"

#include <chrono>
#include <cmath>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/train/schedule.h"

namespace roclip::bench {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Adds the time since the last lap to the named phase.
class PhaseClock {
 public:
  explicit PhaseClock(std::map<std::string, double>& phases) : phases_(phases) {}
  void lap(const char* phase) {
    const auto now = Clock::now();
    phases_[phase] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  std::map<std::string, double>& phases_;
  Clock::time_point last_ = Clock::now();
};

torch::Tensor augmented_tokens(const TrainingPairs& pairs, const torch::Tensor& indices, Defense& defense,
                               TrainContext& context) {
  std::vector<std::string> captions;
  captions.reserve(static_cast<std::size_t>(indices.numel()));
  for (const auto index : std::span(indices.data_ptr<std::int64_t>(), static_cast<std::size_t>(indices.numel()))) {
    captions.push_back(defense.augment_caption(pairs.caption(index), context));
  }
  return context.model.tokenize(captions).to(context.model.device());
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

TrainReport train(TrainableClip& model, const TrainingPairs& pairs, Defense& defense, const TrainingParams& params,
                  const std::vector<std::string>& vocabulary, std::uint64_t seed,
                  const std::function<void(const TrainProgress&)>& listener) {
  if (pairs.size() < params.batch_size) {
    throw Error(ErrorKind::kMatrix, "training/batch_size: " + std::to_string(params.batch_size) + " is more than the " +
                                        std::to_string(pairs.size()) + " training pairs");
  }
  Rng defense_rng(stream(seed, role::kDefense)), augmentation_rng(stream(seed, role::kAugmentation)),
      order_rng(stream(seed, role::kOrder));
  TrainContext context{.model = model,
                       .pairs = pairs,
                       .vocabulary = vocabulary,
                       .rng = defense_rng,
                       .augmentation_rng = augmentation_rng,
                       .order_rng = order_rng,
                       .epochs = params.epochs,
                       .batch_size = params.batch_size};
  AdamW optimizer(model.trainable(), {params.beta1, params.beta2, params.epsilon, params.weight_decay});
  TrainReport report;
  PhaseClock clock(report.phase_s);
  const auto steps_per_epoch = pairs.size() / params.batch_size;
  const auto steps = steps_per_epoch * params.epochs;
  const auto warmup = std::llround(params.warmup_share * static_cast<double>(steps));
  auto last_heard = Clock::now();

  model.train(true);
  defense.begin(context);
  for (context.epoch = 1; context.epoch <= params.epochs; ++context.epoch) {
    const auto epoch_start = Clock::now();
    defense.before_epoch(context);
    const bool text_learns = defense.text_learns(context);
    const auto order = defense.choose_samples(context);
    const auto batches = std::min(order.size(0) / params.batch_size, steps_per_epoch);
    double loss_sum = 0;
    clock.lap("epoch_setup");
    for (std::int64_t b = 0; b < batches; ++b) {
      Batch batch;
      batch.indices = order.narrow(0, b * params.batch_size, params.batch_size);  // 1. sample
      const auto images = to_pixels(pairs.images(batch.indices), model.device());
      clock.lap("data");
      const auto pixels = defense.augment_images(images, context);  // 2. augment
      batch.tokens = augmented_tokens(pairs, batch.indices, defense, context);
      clock.lap("augment");
      batch.z_img = model.encode_image(pixels);  // 3. forward
      {
        const torch::AutoGradMode grad(text_learns);
        batch.z_txt = model.encode_text(batch.tokens);
      }
      clock.lap("forward");
      const auto loss = defense.loss(batch, context);  // 4. loss
      clock.lap("loss");
      optimizer.zero_grad();  // 5. backward
      loss.backward();
      clock.lap("backward");
      optimizer.step(learning_rate_at(report.steps, steps, warmup, params.learning_rate));  // 6. update
      model.clamp_logit_scale();
      defense.after_step(context);
      clock.lap("optimizer");
      const double value = loss.item<double>();  // 7. account
      if (!std::isfinite(value)) {
        throw Diverged("loss is " + std::to_string(value) + " at epoch " + std::to_string(context.epoch) + " step " +
                       std::to_string(b + 1));
      }
      loss_sum += value;
      report.steps += 1;
      report.pairs += params.batch_size;
      if (seconds_since(last_heard) > 0.1 || b + 1 == batches) {
        last_heard = Clock::now();
        listener({context.epoch, params.epochs, report.steps, steps, loss_sum / static_cast<double>(b + 1),
                  static_cast<double>((b + 1) * params.batch_size) / seconds_since(epoch_start)});
      }
    }
    defense.after_epoch(context);
    report.epochs.push_back({context.epoch, loss_sum / static_cast<double>(std::max<std::int64_t>(batches, 1)),
                             model.logit_scale().item<double>(), seconds_since(epoch_start)});
  }
  model.train(false);
  defense.repair(context);
  return report;
}

}  // namespace roclip::bench
