#include "harness/conformance/small_training.h"

#include <torch/types.h>

namespace roclip::bench::conformance {

namespace {

constexpr std::uint64_t kSeed = 1;

ModelParams small_model() {
  return model_params({{"preset", "tiny"},
                       {"image_px", 32},
                       {"embedding_dim", 16},
                       {"stage_widths", {8, 16}},
                       {"stage_blocks", {1, 0}},
                       {"text_width", 16}},
                      "the model of the conformance kit");
}

}  // namespace

PoisonPlan WrongCaptions::plan(const AttackView& view, std::uint64_t seed) const {
  Rng rng(seed);
  PoisonPlan plan;
  TargetImagesGoal goal;
  for (const auto held_out : rng.sample(view.held_out.size(), 12)) {
    const auto label = view.held_out.label(held_out);
    const auto wrong = (label + 1 + rng.below(std::ssize(view.classes) - 1)) % std::ssize(view.classes);
    plan.edits.push_back({.replaces = {},
                          .image = {ImageRef::Set::kHeldOut, held_out},
                          .trigger = std::nullopt,
                          .caption = view.classes[static_cast<std::size_t>(wrong)].prompts.front()});
    goal.targets.push_back({held_out, wrong});
  }
  plan.goal = std::move(goal);
  return plan;
}

SmallTraining::SmallTraining(const Dataset& data, Defense& defense, std::int64_t epochs)
    : vocabulary_(std::make_shared<const Vocabulary>(*data.train, 1)),
      pairs_(data, attack_.plan(view_of(data), stream(kSeed, role::kPoison)), attack_, {}, kSeed),
      model_(make_clip(small_model(), vocabulary_, stream(kSeed, role::kInit), torch::kCPU)),
      trainer_(*model_, defense, {.epochs = epochs, .batch_size = kBatch, .learning_rate = 0.01},
               {.pairs = pairs_,
                .clean_subset = defense.capability() == Capability::kCleanSubset ? pairs_.clean_subset() : nothing_,
                .vocabulary = vocabulary_->known_words(),
                .seed = kSeed}) {}

}  // namespace roclip::bench::conformance
