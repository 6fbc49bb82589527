/// Weights of a model in a file that open_clip reads, and from files that it, OpenAI and transformers write.
#pragma once

#include <filesystem>
#include <string>

#include "harness/model/clip.h"
#include "harness/model/safetensors.h"

namespace roclip::bench {

/// All weights by open_clip's names, as safetensors, and the fingerprint of the tokens. @throws Error(kData)
void save_weights(const std::filesystem::path& file, TrainableClip& model, Metadata metadata = {});

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
