/// Unlearning suspects, after UBT (Liang et al. 2024, arXiv 2403.16257; Liu et al. 2024, arXiv 2409.19526) as far as
/// the abstracts say: overfit on pairs that match badly, which strengthens the shortcut of a backdoor; suspect the
/// pairs whose similarity jumps; go back to the poisoned model, and make it forget a few of them.
#pragma once

#include "roclip/defense.h"

namespace roclip {

class UnlearnDefense final : public Defense {
 public:
  struct Params {
    double overfit_share = 0.2;
    std::int64_t overfit_epochs = 20;
    double overfit_learning_rate = 1e-3;
    double unlearn_share = 0.01;
    std::int64_t local_words = 2;
    std::int64_t unlearn_steps = 50;
    double unlearn_learning_rate = 0.1;
    double stop_similarity = 0;

    void declare(ParamList& list);
  };

  explicit UnlearnDefense(Params params) : params_(params) {}

  /// Plain training, then "overfit", at whose end the model is put back and unlearns.
  std::vector<Stage> stages(const Stage& training) const override;
  /// Keeps the poisoned model, and how well it takes each pair to match.
  void before_stage(TrainContext& context) override;
  /// The pairs that match worst, permuted.
  torch::Tensor choose_samples(TrainContext& context) override;
  /// Plain CLIP, with the batch statistics of the poisoned model.
  torch::Tensor step(const Batch& batch, TrainContext& context) override;
  /// Scores by the jump of similarity, puts the poisoned model back, and unlearns.
  void after_stage(TrainContext& context) override;
  std::optional<Suspicion> suspicion() const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  void unlearn(const torch::Tensor& suspects, TrainContext& context) const;

  Params params_;
  std::vector<torch::Tensor> poisoned_;  ///< weights; none outside of stage "overfit"
  torch::Tensor similarity_;             ///< f64 [N], by the poisoned model; undefined outside of stage "overfit"
  torch::Tensor scores_;                 ///< f64 [N], jump of similarity; undefined before after_stage()
  double threshold_ = 0;                 ///< pairs with a higher score are suspects
};

/// The `count` words of a caption, in their order, without which it is least similar to its image; the caption itself
/// if it has no more words or `count` is 0. @param image f32 [D], unit embedding
std::string local_words(ClipModel& model, const torch::Tensor& image, const std::string& caption, std::int64_t count);

}  // namespace roclip
