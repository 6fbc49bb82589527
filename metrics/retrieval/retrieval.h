/// Cross-modal retrieval: whether an image finds its caption among all held-out captions, and the other way round.
#pragma once

#include "roclip/metric.h"

namespace roclip {

class Retrieval : public Metric {
 public:
  using Params = NoParams;
  explicit Retrieval(const Params&) {}

  std::string headline() const override { return "image_to_text_at_1"; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;
};

/// Equal captions are one text: an image has one right text, a text has every image that it belongs to.
struct RetrievalRanks {
  torch::Tensor image_to_text;  ///< i64 [M], rank of the image's text among the U texts
  torch::Tensor text_to_image;  ///< i64 [M], rank of the best right image of the pair's text among the M images
};

/// @param images f32 [M, D], texts f32 [U, D], unit rows.  @param text_of i64 [M], in [0, U); every text occurs.
RetrievalRanks retrieval_ranks(const torch::Tensor& images, const torch::Tensor& texts, const torch::Tensor& text_of);

}  // namespace roclip
