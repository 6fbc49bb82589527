/// SigLIP (Zhai et al., ICCV 2023, arXiv 2303.15343): CLIP trained with a sigmoid instead of a softmax: each image with
/// each caption of the batch is a yes-or-no question of its own. An objective, not a defense: a row to compare with.
#pragma once

#include <optional>
#include <string>

#include "roclip/defense.h"

namespace roclip {

class SiglipDefense final : public Defense {
 public:
  struct Params {
    std::string bias_start = "prior";
    double initial_bias = -10;
    std::string bias = "learned";

    void declare(ParamList& list);
  };

  explicit SiglipDefense(Params params) : params_(std::move(params)) {}

  torch::Tensor loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                     TrainContext& context) override;
  /// Moves a learned bias: the trainer's optimizer knows the model's weights only.
  void after_step(TrainContext& context) override;
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

  std::optional<double> bias() const { return value_; }  ///< none before the first step

 private:
  Params params_;
  std::optional<double> value_;
  double mean_ = 0, square_ = 0;  ///< Adam's moments of its gradient
  std::int64_t steps_ = 0;
  torch::Tensor leaf_;  ///< f32 [], the bias in the graph of the step that is under way
};

/// The mean over images of the sum over captions of -log sigmoid(sign * (scale * cosine + bias)), where the sign is 1
/// for the image's own caption and -1 for the others.
/// @param z_img, z_txt f32 [B, D], unit rows. @param scale, bias f32 []. @return f32 [], nats
torch::Tensor sigmoid_loss(const torch::Tensor& z_img, const torch::Tensor& z_txt, const torch::Tensor& scale,
                           const torch::Tensor& bias);

}  // namespace roclip
