/// Expected calibration error of zero-shot classification (Guo et al. 2017, arXiv 1706.04599): how far the confidence
/// of the model is from its accuracy.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "roclip/metric.h"

namespace roclip {

struct CalibrationParams {
  std::int64_t bins = 15;

  void declare(ParamList& list);
};

class Calibration : public Metric {
 public:
  using Params = CalibrationParams;
  explicit Calibration(const Params& params) : params_(params) {}

  Better better() const override { return Better::kLower; }
  Measures measures() const override { return Measures::kOther; }
  std::string headline() const override { return "ece"; }
  MetricResult evaluate(ClipModel& model, const EvalInputs& inputs) const override;

 private:
  Params params_;
};

/// Images whose confidence is in (i / bins, (i + 1) / bins], for i in [0, bins).
struct ConfidenceBin {
  std::int64_t images = 0, right = 0;
  double confidence = 0;  ///< sum
  /// |accuracy - mean confidence|; 0 if there is no image
  double gap() const;
};
/// @param confidences f64 [N], in [0, 1]. @param right bool [N]
std::vector<ConfidenceBin> confidence_bins(const torch::Tensor& confidences, const torch::Tensor& right,
                                           std::int64_t bins);

}  // namespace roclip
