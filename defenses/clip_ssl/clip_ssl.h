/// CLIP with self-supervision from scratch: beside the CLIP loss, images and captions are pulled to views of themselves
/// (CLIP + SSL of Verma et al., arXiv 2311.14948, with the losses of CleanCLIP; SLIP of Mu et al., ECCV 2022). An
/// objective, not a defense: what was trained so keeps its backdoor through CleanCLIP, say Verma et al.
#pragma once

#include <string>

#include "roclip/defense.h"

namespace roclip {

class ClipSslDefense final : public Defense {
 public:
  struct Params {
    double clip_weight = 1;
    double image_weight = 0.5;
    double text_weight = 0.5;
    std::string views = "one";
    double temperature = 0;
    ImageAugmentation image;
    TextAugmentation text = {.probability = 1};

    void declare(ParamList& list);
  };

  explicit ClipSslDefense(Params params) : params_(std::move(params)) {}

  torch::Tensor step(const Batch& batch, TrainContext& context) override;

 private:
  /// The loss inside of one modality. @param z its unit embeddings: the pairs, then one or two views of each
  torch::Tensor inside(const std::vector<torch::Tensor>& z, const torch::Tensor& logit_scale) const;

  Params params_;
};

/// SimCLR's loss (Chen et al. 2020): each of the 2 B views has to find the other view of its pair among all others.
/// @param a, b f32 [B, D], unit rows. @return f32 [], nats
torch::Tensor nt_xent(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& scale);

}  // namespace roclip
