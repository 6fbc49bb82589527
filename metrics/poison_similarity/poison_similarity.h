/// Whether a model has learned the poisons: the cosine similarity of image and caption, of poisoned pairs and of clean
/// ones (Yang et al. 2023, RoCLIP, arXiv 2303.06854).
#pragma once

#include <cstdint>

#include "roclip/metric.h"

namespace roclip {

struct PoisonSimilarityParams {
  std::int64_t clean_pairs = 2000;

  void declare(ParamList& list);
};

class PoisonSimilarity : public Metric {
 public:
  using Params = PoisonSimilarityParams;
  explicit PoisonSimilarity(const Params& params) : params_(params) {}

  Better better() const override { return Better::kLower; }
  Measures measures() const override { return Measures::kOther; }
  std::string headline() const override { return "gap"; }
  bool needs_held_out() const override { return false; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;

 private:
  Params params_;
};

}  // namespace roclip
