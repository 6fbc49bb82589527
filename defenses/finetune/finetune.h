/// Fine-tuning on clean pairs with the plain CLIP loss: the control of every defense that repairs a poisoned model, and
/// in cycles of a high learning rate super-fine-tuning (Sha et al. 2022, arXiv 2212.09067).
#pragma once

#include "roclip/defense.h"

namespace roclip {

class FinetuneDefense final : public Defense {
 public:
  struct Params {
    std::int64_t epochs = 20;
    std::int64_t batch_size = 0;
    double learning_rate = 1e-3;
    double warmup_share = 0.1;
    std::int64_t cycles = 1;
    std::int64_t recovery_cycles = 0;
    double recovery_share = 0.02;

    void declare(ParamList& list);
  };

  explicit FinetuneDefense(Params params) : params_(std::move(params)) {}

  Capability capability() const override { return Capability::kCleanSubset; }
  /// Plain training, then a stage a cycle: "finetune_1", ..., "recover_1", ...
  std::vector<Stage> stages(const Stage& training) const override;
  /// The clean subset, permuted. @throws Error(kMatrix) if it is smaller than a batch
  torch::Tensor choose_samples(TrainContext& context) override;

 private:
  Params params_;
};

}  // namespace roclip
