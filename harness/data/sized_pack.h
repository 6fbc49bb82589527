/// The images of a packed file at the sizes that are wanted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "harness/data/cache.h"
#include "harness/data/pack.h"
#include "harness/record/progress.h"
#include "roclip/dataset.h"

namespace roclip::bench {

struct SizedPack {
  Pack pack;
  std::vector<torch::Tensor> images;  ///< u8 [N, 3, px, px] for each size; mapped files
};

/// Opens a packed file and verifies what is used of it, preparing it if needed. Other sizes than its own are made once
/// and kept beside it, so that the workers of a run share them. @throws Error(kData)
SizedPack open_sized(const std::filesystem::path& file, const Reader& read, std::span<const std::int64_t> sizes,
                     const Progress& progress);

/// "classes" of a packed file's metadata.
std::vector<ClassInfo> classes_of(const Json& metadata);

}  // namespace roclip::bench
