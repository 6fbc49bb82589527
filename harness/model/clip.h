/// A CLIP: an image tower, a text tower, a tokenizer and a temperature.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/model/ranks.h"
#include "harness/model/spec.h"
#include "harness/model/tokenizer.h"
#include "roclip/clip_model.h"

namespace roclip::bench {

/// How a model computes and trains; what it is does not depend on it.
struct ModelUse {
  /// Learning rates of the towers, as shares of the stage's; 0: the tower is frozen, its batch statistics, too.
  double image_rate = 1, text_rate = 1;
  bool bf16 = false;                     ///< products and convolutions; embeddings are f32 all the same
  bool recompute_layers = false;         ///< of both towers, in the backward pass (recompute.h): less memory, more time
  std::int64_t micro_batch = 0;          ///< pairs whose activations are kept at once (recompute.h); 0 = all of a batch
  const Ranks* ranks = &Ranks::alone();  ///< that the rows of each batch are shared out to (ranks.h)
};

/// The model that the trainer needs: what plugins see, and the rest of its state.
class TrainableClip : public ClipModel {
 public:
  /// Frozen towers leave trainable(). Default: ModelUse{}.
  virtual void use(const ModelUse& use) = 0;
  /// Of each tensor of trainable().
  virtual std::vector<double> rates() = 0;
  /// Batch statistics: state that is not trained by gradient.
  virtual std::vector<torch::Tensor> buffers() = 0;
  /// All parameters and buffers by the names that open_clip gives them (those of `tiny` and its like have names of the
  /// same style). They share memory with the model; some are transposed views.
  virtual std::map<std::string, torch::Tensor> weights() = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  /// Hash of all parameters and buffers, bit for bit.
  virtual std::string weights_hash() const = 0;
  /// Brings the learned temperature back into [0, ln 100].
  virtual void clamp_logit_scale() = 0;
};

/// @param seed of the initial weights: equal seeds give equal bits, whatever the device.
std::unique_ptr<TrainableClip> make_clip(const ModelSpec& spec, std::shared_ptr<const Tokenizer> tokenizer,
                                         std::uint64_t seed, torch::Device device);
/// Of all weights, frozen ones among them.
std::int64_t parameter_count(TrainableClip& model);

}  // namespace roclip::bench
