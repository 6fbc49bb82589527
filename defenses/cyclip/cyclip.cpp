#include "cyclip.h"

#include <torch/types.h>

namespace roclip {

void CyclipDefense::Params::declare(ParamList& list) {
  list.add("in_modal_weight", in_modal_weight, Range{0, 1e6}, "1",
           "lambda 1: similarities between images as between their captions",
           "--cylambda1 0.25, README of goel-shashank/CyCLIP");
  list.add("cross_modal_weight", cross_modal_weight, Range{0, 1e6}, "1",
           "lambda 2: image i to caption j as image j to caption i",
           "--cylambda2 0.25, README of goel-shashank/CyCLIP");
}

torch::Tensor CyclipDefense::loss(const Batch&, const torch::Tensor& z_img, const torch::Tensor& z_txt,
                                  TrainContext& context) {
  const auto pairs = static_cast<double>(z_img.size(0));
  const auto across = z_img.matmul(z_txt.t());  // [B, B], cosines
  const auto within = z_img.matmul(z_img.t()) - z_txt.matmul(z_txt.t());
  return clip_loss(z_img, z_txt, context.model.logit_scale()) +
         params_.in_modal_weight * pairs * within.square().mean() +
         params_.cross_modal_weight * pairs * (across - across.t()).square().mean();
}

}  // namespace roclip
