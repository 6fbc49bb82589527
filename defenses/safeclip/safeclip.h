/// SafeCLIP (Yang, Gao and Mirzasoleiman, ICML 2024, arXiv 2310.05862): each modality is warmed up on its own, then the
/// pairs are split by how similar image and caption are. Only those that are safe are trained on as pairs, the others
/// each modality on its own.
#pragma once

#include "embedding_bank.h"
#include "roclip/defense.h"

namespace roclip {

class SafeclipDefense final : public Defense {
 public:
  struct Params {
    double unimodal_share = 5.0 / 32;
    double multimodal_share = 1.0 / 32;
    double multimodal_rate = 0.1;
    double safe_probability = 0.9;
    double safe_growth = 0.26;
    double safe_limit = 0.85;
    double bank_fraction = 0.02;
    std::int64_t bank_size = 0;
    ImageAugmentation image;
    TextAugmentation text = {.probability = 1};

    void declare(ParamList& list);
  };

  explicit SafeclipDefense(Params params) : params_(std::move(params)) {}

  /// "unimodal", "multimodal" at a low rate, "mixed"; none has less than an epoch.
  std::vector<Stage> stages(const Stage& training) const override;
  /// Fills the banks before the first stage.
  void before_stage(TrainContext& context) override;
  /// In "mixed": splits the pairs.
  void before_epoch(TrainContext& context) override;
  /// In "mixed": whole batches of risky pairs, then the safe ones.
  torch::Tensor choose_samples(TrainContext& context) override;
  torch::Tensor step(const Batch& batch, TrainContext& context) override;
  /// Minus the log odds of being safe, from the last split; the pairs above the threshold are those that are risky.
  std::optional<Suspicion> suspicion() const override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

  const EmbeddingBank& image_bank() const { return images_; }
  const EmbeddingBank& caption_bank() const { return captions_; }

 private:
  /// One augmented view of each pair of a batch.
  struct View {
    torch::Tensor pixels, tokens;
  };
  View view(const Batch& batch, TrainContext& context) const;
  torch::Tensor unimodal_loss(const View& first, const View& second, TrainContext& context);
  torch::Tensor multimodal_loss(const View& first, const View& second, TrainContext& context) const;

  Params params_;
  EmbeddingBank images_, captions_;
  torch::Tensor scores_;   ///< f64 [N], the suspicion of each pair; undefined before the first split
  double threshold_ = 0;   ///< pairs with a higher score are risky
  double safe_share_ = 0;  ///< of all pairs, at the next split
};

}  // namespace roclip
