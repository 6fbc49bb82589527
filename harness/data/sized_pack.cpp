#include "harness/data/sized_pack.h"

#include <functional>
#include <optional>

#include <unistd.h>

#include <torch/types.h>
#include <torch/utils.h>

#include "harness/data/image.h"
#include "harness/record/machine.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

fs::path resized_file(const fs::path& file, std::int64_t image_px) {
  return file.parent_path() / (file.stem().string() + "-" + std::to_string(image_px) + "px.pack");
}

/// The images of a packed file in its own resolution or in one that was made before; undefined if there is none yet.
/// Verifies what is used now or will be resized. @throws Error(kData) if the packed file is damaged
torch::Tensor stored_images(const fs::path& file, const Pack& pack, std::int64_t image_px) {
  mark_used(file);
  if (pack.images.size(2) != image_px) {
    const auto beside = resized_file(file, image_px);
    try {
      const Pack small = open_pack(beside);
      if (small.metadata.at("resized_from") == pack.checksum) {
        verify_pack(beside);
        mark_used(beside);
        return small.images;
      }
    } catch (const std::exception&) {  // missing or damaged: made again
    }
  }
  verify_pack(file);
  return pack.images.size(2) == image_px ? pack.images : torch::Tensor();
}

/// The images at another resolution: made once, kept beside the packed file and mapped from then on, so that the
/// workers of a run share them.
torch::Tensor resized(const fs::path& file, const Pack& pack, std::int64_t image_px, const Progress& progress) {
  constexpr std::int64_t kChunk = 512;  // bounds the memory
  const auto images = pack.images.size(0);
  const auto beside = resized_file(file, image_px);
  const fs::path draft = beside.string() + ".tmp" + std::to_string(::getpid());
  std::error_code ignored;
  fs::remove(draft, ignored);
  try {
    expect_space(draft, images, image_px, progress);
    PackWriter writer(draft, image_px);
    for (std::int64_t first = 0; first < images; first += kChunk) {
      const auto last = std::min(first + kChunk, images);
      const auto chunk = resize_images(pack.images.slice(0, first, last), image_px);
      for (std::int64_t i = 0; i < chunk.size(0); ++i) writer.append(chunk[i]);
      progress("resizing images", last, images);
    }
    writer.finish({{"resized_from", pack.checksum}});
    fs::rename(draft, beside);
    return open_pack(beside).images;
  } catch (const std::exception&) {  // a cache that cannot be written only costs time, where the memory suffices
    fs::remove(draft, ignored);
    if (static_cast<double>(image_bytes(images, image_px)) / 1048576 > machine_memory_mib() / 2) throw;
    return resize_images(pack.images, image_px);
  }
}

}  // namespace

SizedPack open_sized(const fs::path& file, const Reader& read, std::span<const std::int64_t> sizes,
                     const Progress& progress) {
  std::optional<Pack> pack;  // at once: a cache may be deleted at any moment
  std::vector<torch::Tensor> images;
  const auto open = [&](const fs::path& whole) {
    pack.reset();
    images.clear();
    Pack opened = open_pack(whole);
    for (const auto px : sizes) images.push_back(stored_images(whole, opened, px));
    pack = std::move(opened);
  };
  ensure_packed(file, open, read, progress);
  if (!pack) open(file);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (!images[i].defined()) images[i] = resized(file, *pack, sizes[i], progress);
  }
  return {std::move(*pack), std::move(images)};
}

std::vector<ClassInfo> classes_of(const Json& metadata) {
  std::vector<ClassInfo> classes;
  for (const Json& info : metadata.at("classes")) classes.push_back({info.at("name"), info.at("prompts")});
  return classes;
}

}  // namespace roclip::bench
