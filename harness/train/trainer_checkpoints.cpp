// The way of a training into its checkpoints, and back.
#include <cstdio>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "harness/record/text.h"
#include "harness/train/trainer.h"

namespace roclip::bench {

CheckpointStore* Trainer::store_of(const TrainHooks& hooks, std::size_t stage) const {
  return hooks.shared_checkpoints && stage < plain_prefix(stages_) ? hooks.shared_checkpoints : hooks.checkpoints;
}

void Trainer::checkpoint(CheckpointStore* store) {
  if (!store || !ranks_.is_first()) return;
  read_losses();
  try {
    store->save(report_.steps(), [&](torch::serialize::OutputArchive& archive) { save(archive); });
  } catch (const Error& e) {  // a full disk: what is trained is worth more than a way back
    std::fprintf(stderr, "%s; going on without this checkpoint\n", e.what());
  }
  last_saved_ = std::chrono::steady_clock::now();
  clock_.lap("checkpoint");
}

void Trainer::resume(const TrainHooks& hooks) {
  std::string checkpoint;
  for (auto* store : {hooks.checkpoints, hooks.shared_checkpoints}) {
    if (store && checkpoint.empty() && ranks_.is_first()) checkpoint = store->newest();
  }
  checkpoint = ranks_.from_first(checkpoint);
  if (checkpoint.empty()) return;
  auto archive = opened(std::move(checkpoint));
  load(archive);
}

void Trainer::save(torch::serialize::OutputArchive& archive) const {
  const TrainingRecord trained{.resumed = report_.resumed, .epochs = report_.epochs, .stages = report_.stages};
  const Json position = {
      {"stage", stage_},           {"epoch", context_.epoch},
      {"position", position_},     {"loss_sum", loss_sum_},
      {"epoch_s", epoch_s_},       {"rng", {defense_rng_.state(), augmentation_rng_.state(), order_rng_.state()}},
      {"ranks", ranks_.size()},    {"trained", to_json(trained)},
      {"phase_s", clock_.phases()}};
  archive.write("position", c10::IValue(position.dump()));
  if (order_.defined()) archive.write("order", order_);
  torch::serialize::OutputArchive optimizer(archive.compilation_unit()), buffers(archive.compilation_unit()),
      defense(archive.compilation_unit());
  optimizer_->save(optimizer);
  archive.write("optimizer", optimizer);
  std::size_t count = 0;
  for (const auto& buffer : model_.buffers()) buffers.write(std::to_string(count++), buffer);
  archive.write("buffers", buffers);
  const auto plain = plain_prefix(stages_);
  if (stage_ < plain || (stage_ == plain && context_.epoch == 0))
    return;  // other cells share it: nothing of the defense
  defense_.save(defense);
  archive.write("defense", defense);
}

void Trainer::load(torch::serialize::InputArchive& archive) {
  const torch::NoGradGuard no_grad;
  c10::IValue text;
  archive.read("position", text);
  const Json position = Json::parse(text.toStringRef());
  if (const int before = position.at("ranks"); before != ranks_.size()) {  // numbers are rounded in another order
    throw Skipped(ErrorKind::kMatrix, "the checkpoint is of " + counted(before, "rank") + ", not of " +
                                          std::to_string(ranks_.size()) + "; go on with --ranks " +
                                          std::to_string(before) +
                                          ", or delete the output folder's checkpoints to start again");
  }
  stage_ = position.at("stage");
  context_.epoch = position.at("epoch");
  context_.stage = stages_.at(std::min(stage_, stages_.size() - 1));
  position_ = position.at("position");
  loss_sum_ = position.at("loss_sum");
  epoch_s_ = position.at("epoch_s");
  defense_rng_.set_state(position.at("rng")[0]);
  augmentation_rng_.set_state(position.at("rng")[1]);
  order_rng_.set_state(position.at("rng")[2]);
  auto trained = read_training(CheckedJson(position.at("trained"), "checkpoint", /*next_step=*/""));
  report_ = {.stages = std::move(trained.stages), .epochs = std::move(trained.epochs), .resumed = trained.resumed + 1};
  clock_.restore(position.at("phase_s"));

  torch::serialize::InputArchive optimizer, buffers, defense;
  archive.read("optimizer", optimizer);
  make_optimizer();
  optimizer_->load(optimizer);
  archive.read("buffers", buffers);
  std::size_t count = 0;
  for (const auto& buffer : model_.buffers()) {
    torch::Tensor saved;
    buffers.read(std::to_string(count++), saved);
    buffer.copy_(saved);
  }
  if (archive.try_read("defense", defense)) defense_.load(defense);
  if (!archive.try_read("order", order_)) order_.reset();
  model_.train(true);
}

}  // namespace roclip::bench
