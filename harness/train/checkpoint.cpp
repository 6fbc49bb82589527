#include "harness/train/checkpoint.h"

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <vector>

#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include "harness/record/files.h"
#include "harness/record/text.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMagic = "roclip-bench checkpoint 1 ";
constexpr std::size_t kHashDigits = 32;
constexpr std::size_t kKept = 2;

/// Newest first: the names are numbers of equal width.
std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.path().extension() == ".ckpt") files.push_back(entry.path());
  }
  std::ranges::sort(files, std::greater());
  return files;
}

/// What follows the header. @throws Error(kData) if the file is not what was written
std::string checked_content(const fs::path& file) {
  std::string content = read_file(file);
  const auto header = kMagic.size() + kHashDigits + 1;
  if (content.size() < header || content.compare(0, kMagic.size(), kMagic) != 0 ||
      hash_hex(std::string_view(content).substr(header)) != content.substr(kMagic.size(), kHashDigits)) {
    throw Error(ErrorKind::kData, file.string() + ": is damaged; going on from an earlier checkpoint or the start");
  }
  content.erase(0, header);
  return content;
}

}  // namespace

void CheckpointStore::save(std::int64_t step, const std::function<void(torch::serialize::OutputArchive&)>& fill) const {
  torch::serialize::OutputArchive archive;
  fill(archive);
  std::ostringstream stream;
  archive.save_to(stream);
  const std::string body = std::move(stream).str();
  std::error_code error;
  fs::create_directories(folder_, error);  // what is wrong shows when the file is written
  write_file(folder_ / format("%010lld.ckpt", static_cast<long long>(step)),
             std::string(kMagic) + hash_hex(body) + "\n" + body);
  const auto files = files_of(folder_);
  for (std::size_t i = kKept; i < files.size(); ++i) fs::remove(files[i], error);
}

std::string CheckpointStore::newest() const {
  for (const auto& file : files_of(folder_)) {
    try {
      return checked_content(file);
    } catch (const Error& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
  }
  return "";
}

torch::serialize::InputArchive opened(std::string checkpoint) {
  torch::serialize::InputArchive archive;
  std::istringstream stream(std::move(checkpoint));
  archive.load_from(stream, torch::Device(torch::kCPU));  // whoever wants them elsewhere moves them
  return archive;
}

}  // namespace roclip::bench
