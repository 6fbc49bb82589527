/// Anti-backdoor learning (Li et al., NeurIPS 2021, arXiv 2110.11571), carried over from classifiers to pairs: poisons
/// are learned first, so after a short training the pairs of least loss are isolated; training goes on without them,
/// and ends by unlearning them, with gradient ascent.
#pragma once

#include <string>

#include "roclip/defense.h"

namespace roclip {

class AblDefense final : public Defense {
 public:
  struct Params {
    double isolation_epochs_share = 0.1;
    std::string isolation_trick = "local_ascent";
    double loss_floor = 0.22;
    std::string isolation_loss = "cosine";
    double isolated_share = 0.01;
    std::int64_t unlearning_epochs = 20;
    double unlearning_rate = 0.005;
    std::string unlearning_loss = "cosine";

    void declare(ParamList& list);
  };

  explicit AblDefense(Params params) : params_(std::move(params)) {}

  /// "isolate", "train", "unlearn".
  std::vector<Stage> stages(const Stage& training) const override;
  /// Before "train": isolates the pairs of least loss.
  /// @throws Error(kMatrix) if there are not two batches of pairs
  void before_stage(TrainContext& context) override;
  /// All pairs, those that are not isolated, or those that are, permuted.
  torch::Tensor choose_samples(TrainContext& context) override;
  torch::Tensor loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                     TrainContext& context) override;
  /// Minus the loss of each pair when it was isolated or not.
  std::optional<Suspicion> suspicion() const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  torch::Tensor pair_losses(TrainContext& context) const;

  Params params_;
  torch::Tensor losses_;    ///< f64 [N] of each pair; undefined before it is isolated
  torch::Tensor isolated_;  ///< i64, indices of the pairs of least loss
};

/// What each pair adds to clip_loss(): the mean over all of them is that. @return f64 [B], nats
torch::Tensor contrastive_losses(const torch::Tensor& z_img, const torch::Tensor& z_txt, double scale);

}  // namespace roclip
