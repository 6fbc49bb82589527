#pragma once

#include <string>
#include <vector>

#include <torch/types.h>

#include "roclip/clip_model.h"

namespace roclip::bench {

/// The model that the trainer needs: what plugins see, and the rest of its state.
class TrainableClip : public ClipModel {
 public:
  /// Batch statistics: state that is not trained by gradient.
  virtual std::vector<torch::Tensor> buffers() = 0;
  /// Hash of all parameters and buffers, bit for bit.
  virtual std::string weights_hash() const = 0;
  /// Brings the learned temperature back into [0, ln 100].
  virtual void clamp_logit_scale() = 0;
};

}  // namespace roclip::bench
