/// Named tensors in a file: eight bytes with the length of a JSON header, the header with name, type, shape and place
/// of each tensor, then their bytes (huggingface/safetensors, README.md, "Format").
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <torch/types.h>

namespace roclip::bench {

/// What a file says of itself beside its tensors.
using Metadata = std::map<std::string, std::string>;

/// Equal tensors give equal bytes. @throws Error(kData); Error(kPlugin) for a type that the format does not have
void write_safetensors(const std::filesystem::path& file, const std::map<std::string, torch::Tensor>& tensors,
                       const Metadata& metadata = {});
/// On the CPU. @param metadata written unless null @throws Error(kData) if the file is damaged, or none of these
std::map<std::string, torch::Tensor> read_safetensors(const std::filesystem::path& file, Metadata* metadata = nullptr);

}  // namespace roclip::bench
