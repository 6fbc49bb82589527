#include "harness/data/pack.h"

#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>
#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "harness/record/files.h"
#include "harness/record/text.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;
namespace ipc = boost::interprocess;

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr char kMagic[8] = {'R', 'O', 'C', 'L', 'I', 'P', 'P', 'K'};
constexpr std::uint64_t kPageBytes = 4096;

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t image_px;
  std::uint64_t images;
  std::uint64_t metadata_bytes;
  std::uint64_t metadata_hash;            // XXH3-64
  std::uint64_t checksum_high, checksum;  // XXH3-128 of images and metadata
  std::uint64_t header_hash;              // XXH3-64 of the fields above

  std::uint64_t image_bytes() const { return images * 3 * image_px * image_px; }
  std::uint64_t own_hash() const { return XXH3_64bits(this, offsetof(Header, header_hash)); }
};
static_assert(sizeof(Header) == 64 && sizeof(Header) <= kPageBytes);

struct Mapping {
  std::shared_ptr<ipc::mapped_region> region;
  Header header;

  std::uint8_t* images() const { return static_cast<std::uint8_t*>(region->get_address()) + kPageBytes; }
  const char* metadata() const { return reinterpret_cast<const char*>(images()) + header.image_bytes(); }
};

Mapping map(const fs::path& file) {
  Mapping mapping{nullptr, {}};
  try {
    const ipc::file_mapping handle(file.c_str(), ipc::read_only);
    mapping.region = std::make_shared<ipc::mapped_region>(handle, ipc::read_only);
  } catch (const ipc::interprocess_exception& e) {
    refuse(file, std::string("cannot be mapped (") + e.what() + ")");
  }
  const std::uint64_t size = mapping.region->get_size();
  Header& header = mapping.header;
  if (size < kPageBytes) refuse(file, "is truncated (no whole header)");
  std::memcpy(&header, mapping.region->get_address(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) refuse(file, "is not a whole packed data set");
  if (header.version != kPackVersion) {
    refuse(file,
           "has version " + std::to_string(header.version) + ", this program reads " + std::to_string(kPackVersion));
  }
  if (header.header_hash != header.own_hash()) refuse(file, "has a damaged header");
  const std::uint64_t expected = kPageBytes + header.image_bytes() + header.metadata_bytes;
  if (size != expected) {
    refuse(file, "is truncated (" + std::to_string(size) + " of " + std::to_string(expected) + " bytes)");
  }
  if (XXH3_64bits(mapping.metadata(), header.metadata_bytes) != header.metadata_hash) {
    refuse(file, "has damaged metadata");
  }
  return mapping;
}

}  // namespace

PackWriter::PackWriter(fs::path file, std::int64_t image_px)
    : file_(std::move(file)),
      stream_(std::fopen(file_.c_str(), "wbx")),
      hash_(XXH3_createState(), [](XXH3_state_t* state) { XXH3_freeState(state); }),
      image_px_(image_px) {
  XXH3_128bits_reset(hash_.get());
  const char page[kPageBytes] = {};
  write(page, sizeof page);
}

PackWriter::~PackWriter() = default;

void PackWriter::write(const void* bytes, std::size_t size) {
  if (!stream_ || std::fwrite(bytes, 1, size, stream_.get()) != size) {
    throw Error(ErrorKind::kData, file_.string() + ": cannot be written: " + std::strerror(errno));
  }
}

void PackWriter::write_hashed(const void* bytes, std::size_t size) {
  write(bytes, size);
  XXH3_128bits_update(hash_.get(), bytes, size);
}

std::int64_t PackWriter::append(const cv::Mat& rgb) {
  CV_Assert(rgb.type() == CV_8UC3 && rgb.rows == image_px_ && rgb.cols == image_px_);
  cv::Mat planes[3];
  cv::split(rgb, planes);
  for (const cv::Mat& plane : planes) write_hashed(plane.data, plane.total());
  return images_++;
}

std::int64_t PackWriter::append(const torch::Tensor& image) {
  write_hashed(image.data_ptr(), image.nbytes());
  return images_++;
}

void PackWriter::finish(const Json& metadata) {
  const std::string text = metadata.dump(-1, ' ', false, Json::error_handler_t::replace);
  write_hashed(text.data(), text.size());
  const XXH128_hash_t checksum = XXH3_128bits_digest(hash_.get());
  Header header = {.magic = {},
                   .version = kPackVersion,
                   .image_px = static_cast<std::uint32_t>(image_px_),
                   .images = static_cast<std::uint64_t>(images_),
                   .metadata_bytes = text.size(),
                   .metadata_hash = XXH3_64bits(text.data(), text.size()),
                   .checksum_high = checksum.high64,
                   .checksum = checksum.low64,
                   .header_hash = 0};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.header_hash = header.own_hash();
  std::rewind(stream_.get());
  write(&header, sizeof header);
  if (std::fflush(stream_.get()) != 0 || fsync(fileno(stream_.get())) != 0) {
    throw Error(ErrorKind::kData, file_.string() + ": cannot be written: " + std::strerror(errno));
  }
}

Pack open_pack(const fs::path& file) {
  const Mapping mapping = map(file);
  const Header& header = mapping.header;
  const auto px = static_cast<std::int64_t>(header.image_px);
  // The deleter's copy of the pointer keeps the file mapped as long as any view of the tensor lives.
  auto images = torch::from_blob(
      mapping.images(), {static_cast<std::int64_t>(header.images), 3, px, px}, [region = mapping.region](void*) {},
      torch::kUInt8);
  return {images, Json::parse(mapping.metadata(), mapping.metadata() + header.metadata_bytes),
          format("%016lx%016lx", header.checksum_high, header.checksum)};
}

void verify_pack(const fs::path& file) {
  const Header header = map(file).header;
  // Read rather than mapped: what a process has mapped and touched counts as its memory.
  std::ifstream in(file, std::ios::binary);
  in.seekg(kPageBytes);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::vector<char> chunk(1 << 20);
  for (std::uint64_t left = header.image_bytes() + header.metadata_bytes; left > 0;) {
    const auto size = std::min<std::uint64_t>(left, chunk.size());
    if (!in.read(chunk.data(), static_cast<std::streamsize>(size))) refuse(file, "cannot be read to its end");
    XXH3_128bits_update(state.get(), chunk.data(), size);
    left -= size;
  }
  const XXH128_hash_t found = XXH3_128bits_digest(state.get());
  if (found.high64 != header.checksum_high || found.low64 != header.checksum) {
    refuse(file, "is damaged: its checksum is wrong");
  }
}

std::uint64_t image_bytes(std::int64_t images, std::int64_t image_px) {
  return 3 * static_cast<std::uint64_t>(images) * static_cast<std::uint64_t>(image_px * image_px);
}

void expect_space(const fs::path& file, std::int64_t images, std::int64_t image_px, const Progress& progress) {
  constexpr std::uint64_t kMuch = 10'000'000'000;
  const auto needed = image_bytes(images, image_px);
  const std::string side = std::to_string(image_px);
  const std::string what = file.string() + ": " + std::to_string(images) + " images of " + side + " x " + side +
                           " pixels take " + show_bytes(static_cast<double>(needed));
  std::error_code unknown;
  const auto space = fs::space(file.parent_path(), unknown);
  if (unknown || needed < space.available) {
    if (needed > kMuch) progress(what, 0, 0);
    return;
  }
  throw Error(ErrorKind::kData, what + ", and the disk has " + show_bytes(static_cast<double>(space.available)) +
                                    " free; set a smaller \"image_px\", or set ROCLIP_BENCH_CACHE to a folder on a " +
                                    "larger disk");
}

}  // namespace roclip::bench
