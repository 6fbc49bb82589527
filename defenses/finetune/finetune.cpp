#include "finetune.h"

namespace roclip {

void FinetuneDefense::Params::declare(ParamList& list) {
  const char* toolbox = "vtu81/backdoor-toolbox, super_finetuning.py";
  list.add("epochs", epochs, Range{1, 100000}, "epochs", "passes over the clean subset, a cycle",
           "ours: as defense cleanclip");
  list.add("batch_size", batch_size, Range{0, 65536}, "pairs", "pairs a step of fine-tuning; 0 = as in training",
           "ours");
  list.add("learning_rate", learning_rate, Range{0, 1}, "1", "peak of a cycle; 0 = as in training",
           "ours: as defense cleanclip");
  list.add("warmup_share", warmup_share, Range{0, 1}, "1", "share of a cycle with a rising learning rate",
           "ours: as defense cleanclip");
  list.add("cycles", cycles, Range{1, 100}, "cycles", "how often the learning rate rises to its peak and falls to 0",
           "ours: plain fine-tuning has one");
  list.add("recovery_cycles", recovery_cycles, Range{0, 100}, "cycles", "after those, with a lower peak",
           "ours: plain fine-tuning has none");
  list.add("recovery_share", recovery_share, Range{0, 1}, "1", "their peak, as a share of the learning rate", toolbox);
  list.recipe("super_finetune",
              {{"epochs", 10},
               {"learning_rate", 0},
               {"warmup_share", 0.5},
               {"cycles", 4},
               {"recovery_cycles", 6},
               {"recovery_share", 0.02}},
              toolbox);
}

std::vector<Stage> FinetuneDefense::stages(const Stage& training) const {
  std::vector<Stage> stages = {training};
  stages[0].plain = true;
  const auto add = [&](const std::string& name, std::int64_t cycles, double share) {
    const double peak = params_.learning_rate > 0 ? params_.learning_rate : training.learning_rate;
    for (std::int64_t cycle = 1; cycle <= cycles; ++cycle) {
      stages.push_back({.name = name + std::to_string(cycle),
                        .epochs = params_.epochs,
                        .batch_size = params_.batch_size > 0 ? params_.batch_size : training.batch_size,
                        .learning_rate = share * peak,
                        .warmup_share = params_.warmup_share});
    }
  };
  add("finetune_", params_.cycles, 1);
  add("recover_", params_.recovery_cycles, params_.recovery_share);
  return stages;
}

torch::Tensor FinetuneDefense::choose_samples(TrainContext& context) {
  return shuffled_clean_subset(context, "finetune");
}

}  // namespace roclip
