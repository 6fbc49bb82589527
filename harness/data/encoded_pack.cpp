#include "harness/data/encoded_pack.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <mutex>

#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "harness/data/image.h"
#include "harness/data/resample.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/record/signals.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;
namespace ipc = boost::interprocess;

namespace {

constexpr int kVersion = 1;

std::string shard_name(std::int64_t shard, const char* suffix) {
  auto number = std::to_string(shard);
  number.insert(0, 5 - std::min<std::size_t>(5, number.size()), '0');
  return number + suffix;
}

std::uint32_t short_hash(std::string_view bytes) {
  return static_cast<std::uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xff\xd8"); }

std::string encoded(const char* extension, const cv::Mat& rgb) {
  cv::Mat bgr;
  cv::cvtColor(rgb, bgr, cv::COLOR_RGB2BGR);
  std::vector<std::uint8_t> bytes;
  const std::vector<int> options = {cv::IMWRITE_JPEG_QUALITY, 95};
  if (!cv::imencode(extension, bgr, bytes, options)) throw Error(ErrorKind::kInternal, "an image cannot be encoded");
  return {bytes.begin(), bytes.end()};
}

/// What is stored of an image.
struct Stored {
  std::string bytes;
  cv::Size size;
};

Stored stored(const Item& item, std::int64_t image_px, std::int64_t longest_px) {
  const bool drawn = item.coding != Coding::kFile || item.source.ends_with(".svg");
  if (drawn) return {encoded(".png", draw_item(item, image_px)), cv::Size(cv::Point(image_px, image_px))};
  Stored result{stored_bytes(item), {}};
  if (longest_px == 0) {  // decoded all the same, to know that it can be: a JPEG in an eighth, which is quicker
    const auto header = jpeg_size(result.bytes);
    const cv::Size shown = decode_rgb(result.bytes, header.empty() ? 1 : 8).size();
    const bool turned = (header.width > header.height) != (shown.width > shown.height);  // by its EXIF
    result.size = header.empty() ? shown : turned ? cv::Size(header.height, header.width) : header;
    return result;
  }
  const cv::Mat rgb = decode_rgb(result.bytes);
  result.size = rgb.size();
  const double shrink = static_cast<double>(longest_px) / std::max(rgb.rows, rgb.cols);
  if (shrink >= 1) return result;
  const auto side = [&](int px) { return std::max<std::int64_t>(1, std::llround(px * shrink)); };
  const cv::Mat smaller = resize_cubic(rgb, side(rgb.rows), side(rgb.cols));
  return {encoded(".jpg", smaller), smaller.size()};
}

/// Writes one shard and then, beside it, what is in it: [[item, bytes, hash, width, height]] and what is left out.
void write_shard(const std::vector<const Item*>& items, std::int64_t shard, std::int64_t image_px,
                 std::int64_t longest_px, const fs::path& folder) {
  const auto first = static_cast<std::size_t>(shard * kImagesPerShard);
  const auto end = std::min(first + kImagesPerShard, items.size());
  Json images = Json::array(), left_out = Json::array();
  const auto file = folder / shard_name(shard, ".images");
  std::ofstream out(file, std::ios::binary);
  std::uint64_t total = 0;
  const auto check = [&] {
    if (out) return;
    const std::string reason = std::strerror(errno);
    refuse(file, "cannot be written: " + reason + "; run again once it can: the shards that are complete are kept");
  };
  for (auto i = first; i < end; ++i) {
    Stored image;
    try {
      image = stored(*items[i], image_px, longest_px);
    } catch (const std::exception& e) {
      left_out.push_back({i - first, e.what()});
      continue;
    }
    const auto& [bytes, size] = image;
    out.write(bytes.data(), std::ssize(bytes));
    check();
    images.push_back({i - first, bytes.size(), short_hash(bytes), size.width, size.height});
    total += bytes.size();
  }
  out.flush();
  check();
  write_json(folder / shard_name(shard, ".done"), {{"images", images}, {"left_out", left_out}, {"bytes", total}});
}

/// What an earlier call has stored of a shard; null if it has not, or not all.
Json done_shard(std::int64_t shard, const fs::path& folder) {
  std::error_code error;
  try {
    Json done = read_json(folder / shard_name(shard, ".done"));
    const auto bytes = fs::file_size(folder / shard_name(shard, ".images"), error);
    if (!error && done.at("bytes") == bytes) return done;
  } catch (const std::exception&) {  // not there, or cut off
  }
  return {};
}

void write_shards(const std::vector<const Item*>& items, std::int64_t shards, std::int64_t image_px,
                  std::int64_t longest_px, const fs::path& folder, const Progress& progress) {
  std::atomic<std::int64_t> next = 0;
  std::int64_t done = 0;
  std::exception_ptr failure;
  std::mutex mutex;
  cv::parallel_for_(cv::Range(0, std::max(1, cv::getNumThreads())), [&](const cv::Range& threads) {
    for (int thread = threads.start; thread < threads.end; ++thread) {
      for (auto shard = next++; shard < shards; shard = next++) {
        try {
          if (done_shard(shard, folder).is_null()) write_shard(items, shard, image_px, longest_px, folder);
        } catch (...) {
          const std::lock_guard lock(mutex);
          failure = std::current_exception();
          next = shards;
          return;
        }
        const std::lock_guard lock(mutex);
        done += std::min(kImagesPerShard, std::ssize(items) - shard * kImagesPerShard);
        progress("storing images", done, std::ssize(items));
      }
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

void encode_collection(Collection collection, const fs::path& folder, const Progress& progress) {
  std::vector<const Item*> items;
  const std::pair<const char*, const std::vector<Item>*> parts[] = {
      {"train", &collection.train}, {"probe", &collection.probe}, {"held_out", &collection.held_out}};
  for (const auto& [name, part] : parts) {
    for (const auto& item : *part) items.push_back(&item);
  }
  const auto shards = (std::ssize(items) + kImagesPerShard - 1) / kImagesPerShard;
  fs::create_directories(folder);
  write_shards(items, shards, collection.image_px, collection.longest_px, folder, progress);

  std::vector<EncodedEntry> entries;
  std::string texts;
  Json metadata = {{"version", kVersion}};
  std::size_t item = 0, in_shard = 0;
  Json done;
  std::uint64_t offset = 0;
  for (const auto& [name, part] : parts) {
    const auto first = entries.size();
    for (const auto end = item + part->size(); item < end; ++item) {
      const auto shard = static_cast<std::int64_t>(item) / kImagesPerShard;
      const auto place = static_cast<std::int64_t>(item) % kImagesPerShard;
      if (place == 0) {
        done = done_shard(shard, folder);
        if (done.is_null()) refuse(folder / shard_name(shard, ".done"), "vanished while the data were prepared");
        for (const Json& left_out : done.at("left_out")) {
          const Item& lost = *items[item + left_out[0].get<std::size_t>()];
          collection.skipped[{lost.table, left_out[1]}].push_back(lost.name);
        }
        metadata["shards"].push_back(done.at("bytes"));
        in_shard = 0;
        offset = 0;
      }
      const Json& images = done.at("images");
      if (in_shard == images.size() || images[in_shard][0] != place) continue;  // left out
      const Json& image = images[in_shard++];
      const Item& from = *items[item];
      const auto name_text = as_utf8(from.name), caption = as_utf8(from.caption);
      EncodedEntry& entry =
          entries.emplace_back(EncodedEntry{.offset = offset,
                                            .text_offset = texts.size(),
                                            .bytes = image[1],
                                            .hash = image[2],
                                            .shard = static_cast<std::uint32_t>(shard),
                                            .name_bytes = static_cast<std::uint32_t>(name_text.size()),
                                            .caption_bytes = static_cast<std::uint32_t>(caption.size()),
                                            .label = static_cast<std::int32_t>(from.label),
                                            .width = image[3],
                                            .height = image[4]});
      offset += entry.bytes;
      texts += name_text + caption;
    }
    metadata[name] = {{"first", first}, {"count", entries.size() - first}};
  }
  expect_usable(collection, metadata["train"]["count"], metadata["held_out"]["count"]);
  metadata.update(metadata_of(collection));
  std::string index(reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(EncodedEntry));
  index += texts;
  metadata["images"] = entries.size();
  metadata["index_hash"] = hash_hex(index);
  write_file(folder / "index", index);
  write_json(folder / "metadata.json", metadata);
  for (std::int64_t shard = 0; shard < shards; ++shard) fs::remove(folder / shard_name(shard, ".done"));
}

struct EncodedPack::Mapping {
  ipc::mapped_region region;
  const char* bytes() const { return static_cast<const char*>(region.get_address()); }
};

EncodedPack::~EncodedPack() = default;

EncodedPack::EncodedPack(const fs::path& folder) : folder_(folder) {
  const auto file = folder / "metadata.json", index = folder / "index";
  metadata_ = read_json(file);
  try {
    if (metadata_.at("version") != kVersion) {
      refuse(file, "expected version " + std::to_string(kVersion) + ", got " + metadata_.at("version").dump());
    }
    metadata_.at("images").get_to(size_);
    metadata_.at("index_hash").get_to(checksum_);
    std::int64_t shard = 0;
    for (const Json& bytes : metadata_.value("shards", Json::array())) {
      const auto images = folder / shard_name(shard++, ".images");
      const auto size = fs::file_size(images);
      if (bytes != size) refuse(images, "has " + std::to_string(size) + " bytes, expected " + bytes.dump());
    }
    const bool whole = size_ >= 0 && fs::file_size(index) >= static_cast<std::uint64_t>(size_) * sizeof(EncodedEntry);
    if (!whole || hash_file(index) != checksum_) refuse(index, "is damaged");
    const ipc::file_mapping handle(index.c_str(), ipc::read_only);
    index_ = std::make_unique<Mapping>(Mapping{ipc::mapped_region(handle, ipc::read_only)});
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    refuse(folder, std::string("is damaged (") + e.what() + ")");
  }
}

const EncodedEntry& EncodedPack::entry(std::int64_t index) const {
  if (index < 0 || index >= size_) throw std::out_of_range("image " + std::to_string(index));
  return reinterpret_cast<const EncodedEntry*>(index_->bytes())[index];
}

std::string_view EncodedPack::name(std::int64_t index) const {
  const auto& found = entry(index);
  const char* texts = index_->bytes() + static_cast<std::size_t>(size_) * sizeof(EncodedEntry);
  return {texts + found.text_offset, found.name_bytes};
}

std::string_view EncodedPack::caption(std::int64_t index) const {
  const auto of = name(index);
  return {of.data() + of.size(), entry(index).caption_bytes};
}

std::string EncodedPack::bytes(std::int64_t index) const {
  const auto& wanted = entry(index);
  std::string bytes(wanted.bytes, '\0');
  const auto file = folder_ / shard_name(wanted.shard, ".images");
  const Descriptor shard(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const auto got = shard ? ::pread(shard.get(), bytes.data(), bytes.size(), static_cast<off_t>(wanted.offset)) : -1;
  if (got != std::ssize(bytes) || short_hash(bytes) != wanted.hash) {
    refuse(file, "the image " + std::string(name(index)) +
                     " is damaged; `roclip-bench data clean --all`, then run again: the data are prepared anew");
  }
  return bytes;
}

cv::Mat EncodedPack::square(std::int64_t index, std::int64_t px) const {
  const auto image = bytes(index);
  const auto& size = entry(index);
  int reduce = 1;
  while (is_jpeg(image) && reduce < 8 && std::min(size.width, size.height) / (2 * reduce) >= px) reduce *= 2;
  try {
    const cv::Size whole(static_cast<int>(size.width), static_cast<int>(size.height));
    return centre_square(decode_rgb(image, reduce), px, whole);
  } catch (const Error& e) {
    refuse(folder_, std::string(name(index)) + ": " + e.what());
  }
}

void verify_encoded(const fs::path& folder) {
  const EncodedPack pack(folder);
  for (std::int64_t i = 0; i < pack.size(); ++i) pack.bytes(i);
}

namespace {

class EncodedPairs final : public PairSource {
 public:
  EncodedPairs(std::shared_ptr<const EncodedPack> pack, std::int64_t first, std::int64_t count, std::int64_t px)
      : pack_(std::move(pack)), first_(first), count_(count), px_(px) {}
  std::int64_t size() const override { return count_; }
  std::int64_t image_px() const override { return px_; }
  bool is_slow() const override { return true; }
  std::string caption(std::int64_t index) const override { return std::string(pack_->caption(first_ + index)); }
  void read_image(std::int64_t index, std::uint8_t* to) const override {
    const auto side = static_cast<int>(px_);
    std::vector<cv::Mat> planes;
    for (int channel = 0; channel < 3; ++channel) planes.emplace_back(side, side, CV_8UC1, to + channel * px_ * px_);
    cv::split(pack_->square(first_ + index, px_), planes);
  }

 private:
  std::shared_ptr<const EncodedPack> pack_;
  std::int64_t first_, count_, px_;
};

}  // namespace

Pairs encoded_pairs(std::shared_ptr<const EncodedPack> pack, std::int64_t first, std::int64_t count, std::int64_t px) {
  return std::make_shared<const EncodedPairs>(std::move(pack), first, count, px);
}

}  // namespace roclip::bench
