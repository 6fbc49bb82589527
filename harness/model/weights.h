/// Weights of a model in a file that open_clip reads, and from files that it, OpenAI and transformers write.
#pragma once

#include <filesystem>
#include <string>

#include "harness/model/clip.h"
#include "harness/model/safetensors.h"

namespace roclip::bench {

/// All weights by open_clip's names, as safetensors, and what load_model() needs to know. @throws Error(kData)
/// @param description of effective_model(), whose model it is
void save_weights(const std::filesystem::path& file, TrainableClip& model, const Json& description,
                  Metadata metadata = {});

/// A model that a file describes.
struct DescribedModel {
  ModelSpec spec;
  std::unique_ptr<TrainableClip> model;  ///< on the CPU, in evaluation mode
};
/// The model of a file that save_weights() wrote. @param merges OpenAI's, if it has their tokens; "" = as
/// TokenizerSpec. @throws Error(kData) if the file does not say what it is, and as load_weights()
DescribedModel load_model(const std::filesystem::path& file, const std::filesystem::path& merges);

/// Takes all weights of the model from a file, in whatever float type it has them. Names may be open_clip's (also
/// behind "module." or "text."), OpenAI's, which are the same, or those of transformers' CLIPModel.
/// @throws Error(kData) naming the file and the first tensor that is missing, left over, of another shape or not
/// finite, or saying that the file was made with other tokens; the model is then as it was
void load_weights(const std::filesystem::path& file, TrainableClip& model);
/// The weights that a cell's configuration names under "start_from", if it does. @throws Error(kData) also if the file
/// is no longer the one that was planned with
void load_start(const Json& config, TrainableClip& model);
/// Hash of their file; "" if it names none.
std::string start_hash(const Json& config);

}  // namespace roclip::bench
