/// Artifacts of attacks as safetensors files: eight bytes with the length of a JSON header, the header with name, type,
/// shape and place of each tensor, then their bytes (huggingface/safetensors, README.md, "Format").
#pragma once

#include <filesystem>

#include "roclip/attack.h"

namespace roclip::bench {

/// Equal artifacts give equal bytes. @throws Error(kData)
void write_safetensors(const std::filesystem::path& file, const Artifact& artifact);
/// @throws Error(kData) if the file is no safetensors file, or holds other types than u8, i64, f32 and f64
Artifact read_safetensors(const std::filesystem::path& file);

}  // namespace roclip::bench
