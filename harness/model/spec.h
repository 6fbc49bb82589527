/// The "model" section of a matrix file: what a model is made of.
///
/// Two kinds of sections are read. Ours, for studies on a CPU, has flat keys and presets (tiny, small). The other is
/// the JSON in which open_clip describes models: {"embed_dim", "vision_cfg", "text_cfg"}, as a preset (RN50, ViT-B-32,
/// ViT-B-16, vit_tiny, ...), as a file, or in the matrix file itself.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "harness/model/transformer.h"
#include "roclip/params.h"

namespace roclip::bench {

/// A small residual network of one convolution a block (conv_tower.cpp).
struct ConvSpec {
  std::int64_t stem_kernel_px = 8;
  std::int64_t stem_stride_px = 4;
  std::vector<std::int64_t> stage_widths = {32, 64, 128};  ///< channels; each stage after the first halves H and W
  std::vector<std::int64_t> stage_blocks = {1, 1, 0};      ///< residual blocks in each stage
};

/// What is taken off pixels 0..1, and divides them, by channel.
struct PixelNorm {
  std::array<double, 3> mean, deviation;
};

/// OpenAI's ResNet (resnet_tower.cpp).
struct ResNetSpec {
  PixelNorm norm;
  std::array<std::int64_t, 4> layers;  ///< bottlenecks in each stage
  std::int64_t width;                  ///< channels of the first stage
  std::int64_t heads;                  ///< of the attention that pools
};

/// The vision transformer (vit_tower.cpp).
struct VitSpec {
  PixelNorm norm;
  TransformerOptions transformer;
  std::int64_t patch_px;
};

struct TextSpec {
  TransformerOptions transformer;
  std::int64_t context_length = 0;  ///< tokens, with those of start and end
  bool causal = false;              ///< a token sees those before it only
  enum class Pool { kMean, kLast };
  Pool pool = Pool::kMean;  ///< kLast: the last token, which is the one that ends a caption
};

struct TokenizerSpec {
  enum class Kind {
    kWords,    ///< the words of the study's captions
    kOpenAi,   ///< OpenAI's byte pairs
    kTrained,  ///< byte pairs of the study's captions
  };
  Kind kind = Kind::kWords;
  std::int64_t min_count = 2;         ///< kWords: rarer words are unknown
  std::int64_t vocab_size = 0;        ///< kOpenAi, kTrained
  std::filesystem::path merges = {};  ///< kOpenAi: its file of merges, "" = of the installed open_clip_torch
};

struct ModelSpec {
  std::int64_t image_px = 0;
  std::int64_t embedding_dim = 0;  ///< D
  std::variant<ConvSpec, ResNetSpec, VitSpec> image;
  TextSpec text;
  TokenizerSpec tokenizer;
  double initial_temperature = 0.07;
};

/// Everything about the model that can change a number, with defaults filled in: "model" of a cell's configuration.
/// @param model a preset's name, a file's ("*.json"), or an object. @param folder that names of files start from
/// @throws Error(kMatrix)
Json effective_model(const Json& model, const std::filesystem::path& folder, const std::string& where);
/// @param effective of effective_model()
ModelSpec model_spec(const Json& effective);
/// Side of the images that it takes. @param effective of effective_model()
std::int64_t image_px_of(const Json& effective);

/// Names of the presets in share_dir()/models.
std::vector<std::string> model_presets();
/// The flat keys, for the schema.
Json describe_model();

}  // namespace roclip::bench
