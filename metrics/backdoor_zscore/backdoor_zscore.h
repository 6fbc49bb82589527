/// Backdoor z-score (Carlini and Terzis 2021, arXiv 2106.09667): by how many standard deviations of the similarity of
/// two clean images a trigger raises the similarity of two images.
#pragma once

#include <string>

#include "roclip/metric.h"

namespace roclip {

struct BackdoorZscoreParams {
  std::string divisor = "deviation";

  void declare(ParamList& list);
};

class BackdoorZscore : public Metric {
 public:
  using Params = BackdoorZscoreParams;
  explicit BackdoorZscore(const Params& params) : params_(params) {}

  Better better() const override { return Better::kLower; }
  Measures measures() const override { return Measures::kOther; }
  std::string headline() const override { return "z_score"; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;

 private:
  Params params_;
};

/// Mean and variance of the inner products of all couples of different rows.
struct PairwiseSimilarity {
  double mean = 0, variance = 0;
};
/// Works in N * D * D steps and D * D doubles, not in N * N. @param rows [N, D], N >= 2
PairwiseSimilarity pairwise_similarity(const torch::Tensor& rows);

}  // namespace roclip
