/// A CLIP with a convolutional image tower and a transformer text tower, built from a preset.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/model/vocabulary.h"
#include "roclip/clip_model.h"
#include "roclip/params.h"

namespace roclip::bench {

/// The "model" section of a matrix file, after its preset.
struct ModelParams {
  std::int64_t image_px = 32;
  std::int64_t embedding_dim = 64;

  std::int64_t stem_kernel_px = 8;
  std::int64_t stem_stride_px = 4;
  std::vector<std::int64_t> stage_widths = {32, 64, 128};  ///< channels; each stage after the first halves H and W
  std::vector<std::int64_t> stage_blocks = {1, 1, 0};      ///< residual blocks in each stage

  std::int64_t text_width = 64;
  std::int64_t text_layers = 1;
  std::int64_t text_heads = 1;
  std::int64_t text_mlp_ratio = 2;
  std::int64_t context_length = 12;
  std::int64_t vocabulary_min_count = 2;

  double initial_temperature = 0.07;

  void declare(ParamList& list);
};

/// Takes a preset's name, or an object of parameters with an optional "preset" (default "tiny") to start from.
/// @throws Error(kMatrix)
ModelParams model_params(const Json& model, const std::string& where);
/// Names of the presets in share_dir()/models.
std::vector<std::string> model_presets();

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

/// @param seed of the initial weights: equal seeds give equal bits, whatever the device.
std::unique_ptr<TrainableClip> make_clip(const ModelParams& params, std::shared_ptr<const Vocabulary> vocabulary,
                                         std::uint64_t seed, torch::Device device);
std::int64_t parameter_count(TrainableClip& model);

}  // namespace roclip::bench
