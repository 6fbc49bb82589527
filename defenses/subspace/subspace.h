/// Distance of an input to the subspace of the prompts of its class: a simple form of the subspace detection of ICLR
/// 2026.
#pragma once

#include "roclip/defense.h"

namespace roclip {

class SubspaceDefense final : public Defense {
 public:
  struct Params {
    std::int64_t rank = 4;

    void declare(ParamList& list);
  };

  explicit SubspaceDefense(const Params& params) : params_(params) {}

  /// Plain training: the defense begins where it ends.
  std::vector<Stage> stages(const Stage& training) const override;
  /// Length of what is left of the image's embedding beside the subspace of its class.
  std::optional<torch::Tensor> input_suspicion(const torch::Tensor& pixels,
                                               const Deployment& deployment) const override;

 private:
  Params params_;
};

/// Distances of points to the affine subspace through the mean of `spanning`, along its main directions.
/// @param points f64 [B, D]. @param spanning f64 [P, D]. @param rank directions; at most P - 1 are used
/// @return f64 [B]
torch::Tensor distance_to_subspace(const torch::Tensor& points, const torch::Tensor& spanning, std::int64_t rank);

}  // namespace roclip
