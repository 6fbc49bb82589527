/// CyCLIP (Goel et al., NeurIPS 2022, arXiv 2205.14459): CLIP whose similarities are asked to be symmetric, between the
/// modalities (image i to caption j as image j to caption i) and within them (two images as their two captions). Not
/// made as a defense, but often a row beside them.
#pragma once

#include "roclip/defense.h"

namespace roclip {

class CyclipDefense final : public Defense {
 public:
  struct Params {
    double in_modal_weight = 0.25;
    double cross_modal_weight = 0.25;

    void declare(ParamList& list);
  };

  explicit CyclipDefense(Params params) : params_(params) {}

  torch::Tensor loss(const Batch& batch, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                     TrainContext& context) override;

 private:
  Params params_;
};

}  // namespace roclip
