/// DECREE (Feng et al., CVPR 2023, arXiv 2303.15180): optimises a patch that makes the embeddings of all images alike.
/// A backdoored encoder has one that is small; a clean one takes a large part of the image.
#pragma once

#include <cstdint>
#include <string>

#include "roclip/metric.h"

namespace roclip {

struct DecreeParams {
  std::int64_t steps = 200;
  std::int64_t batch_size = 64;
  double learning_rate = 0.1;
  double threshold = 0.99;
  double initial_lambda = 1e-3;
  double lambda_factor = 5;
  double least_lambda = 1e-5;
  std::int64_t patience = 5;

  void declare(ParamList& list);
};

class Decree : public Metric {
 public:
  using Params = DecreeParams;
  explicit Decree(const Params& params) : params_(params) {}

  Better better() const override { return Better::kLower; }
  Measures measures() const override { return Measures::kModelDetection; }
  std::string headline() const override { return "suspicion"; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;

 private:
  Params params_;
};

/// The smallest patch found that makes images alike.
struct InvertedTrigger {
  double mask_share = 1;   ///< sum of the mask over its largest: 1, the whole image, if no step passed the threshold
  double similarity = -1;  ///< of its step, or the highest of all steps if none passed the threshold
  std::int64_t step = 0;   ///< that found it, from 1; 0 = none
};
/// @param held_out at least two images. Changes neither the weights of the model nor their gradients.
InvertedTrigger invert_trigger(ClipModel& model, const PairSource& held_out, const DecreeParams& params, Rng& rng);

/// The weight of the mask's size: times `factor` after more than `patience` steps above the threshold in a row, divided
/// by it after as many below, but not once it is under `least`.
class AdaptiveLambda {
 public:
  explicit AdaptiveLambda(const DecreeParams& params) : params_(params), value_(params.initial_lambda) {}
  double value() const { return value_; }
  void update(bool above_threshold);

 private:
  DecreeParams params_;
  double value_;
  std::int64_t above_ = 0, below_ = 0;  ///< steps in a row
};

/// Mean cosine of all couples of different rows. @param rows f32 [B, D], unit rows, B >= 2. @return f32 []
torch::Tensor mean_similarity(const torch::Tensor& rows);

}  // namespace roclip
