#include "harness/data/collection.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <span>

#include <opencv2/core.hpp>
#include <opencv2/core/utility.hpp>

#include "harness/data/image.h"
#include "harness/data/pack.h"
#include "harness/data/resample.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

constexpr std::int64_t kNamesPerReason = 10;

Json describe(std::int64_t first_image, const std::vector<Item>& items, bool labelled) {
  Json captions = Json::array(), labels = Json::array();
  for (const Item& item : items) {
    captions.push_back(item.caption);
    if (labelled) labels.push_back(item.label);
  }
  return {{"first_image", first_image}, {"captions", std::move(captions)}, {"labels", std::move(labels)}};
}

Json describe(const LeftOut& skipped) {
  Json list = Json::array();
  for (const auto& [place, names] : skipped) {
    const auto shown = std::min<std::size_t>(names.size(), kNamesPerReason);
    list.push_back({{"reason", place.second},
                    {"count", names.size()},
                    {"first", std::vector(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown))}});
    if (!place.first.empty()) list.back()["table"] = place.first;
  }
  return list;
}

}  // namespace

std::string stored_bytes(const Item& item) {
  if (item.coding != Coding::kFile) return item.source;
  if (item.bytes == Item::kWholeFile) return image_file(item.source);
  std::string bytes(static_cast<std::size_t>(item.bytes), '\0');
  std::ifstream in(item.source, std::ios::binary);
  in.seekg(item.offset);
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!in) throw Error(ErrorKind::kData, "cannot be read");
  return bytes;
}

cv::Mat draw_item(const Item& item, std::int64_t px) {
  const auto bytes = stored_bytes(item);
  if (item.coding == Coding::kSvg || item.source.ends_with(".svg")) return render_svg(bytes, px);
  if (item.coding == Coding::kFile) return centre_square(decode_rgb(bytes), px);
  const auto side = static_cast<int>(std::lround(std::sqrt(static_cast<double>(bytes.size()))));
  const auto plane = [&](int side_px, int channel) {
    auto* first = const_cast<char*>(bytes.data()) + static_cast<std::ptrdiff_t>(channel) * side_px * side_px;
    return cv::Mat(side_px, side_px, CV_8UC1, first);
  };
  cv::Mat rgb;
  if (side * side == std::ssize(bytes)) {
    cv::merge(std::vector<cv::Mat>(3, plane(side, 0)), rgb);
  } else {
    const auto third = static_cast<int>(std::lround(std::sqrt(static_cast<double>(bytes.size()) / 3)));
    cv::merge(std::vector{plane(third, 0), plane(third, 1), plane(third, 2)}, rgb);
  }
  return centre_square(rgb, px);
}

Json metadata_of(const Collection& collection) {
  Json classes = Json::array();
  for (const auto& info : collection.classes) classes.push_back({{"name", info.name}, {"prompts", info.prompts}});
  Json metadata = {{"name", collection.name},
                   {"classes", std::move(classes)},
                   {"sources", collection.sources},
                   {"skipped", describe(collection.skipped)}};
  if (!collection.rows.empty()) metadata["rows"] = collection.rows;
  return metadata;
}

void expect_usable(const Collection& collection, std::int64_t pairs, std::int64_t held_out) {
  if ((collection.only_labelled ? held_out : pairs) > 0) return;
  const char* what = collection.only_labelled ? "labelled image" : "pair of image and caption";
  throw Error(ErrorKind::kData,
              collection.name + ": no usable " + what + "; left out: " + describe(collection.skipped).dump());
}

void pack_collection(Collection collection, const std::filesystem::path& file, const Progress& progress) {
  const auto total = std::ssize(collection.train) + std::ssize(collection.probe) + std::ssize(collection.held_out);
  expect_space(file, total, collection.image_px, progress);
  PackWriter writer(file, collection.image_px);
  std::int64_t done = 0, written = 0;
  // Draws the items on all cores, a chunk at a time, and appends them in order. Drops the items that cannot be drawn.
  // Gives the index of the first image.
  const auto draw = [&](std::vector<Item>& items) {
    constexpr std::int64_t kChunk = 64;
    const std::int64_t first_image = written;
    std::vector<Item> drawn;
    for (std::int64_t first = 0; first < std::ssize(items); first += kChunk) {
      const auto chunk = std::span(items)
                             .subspan(static_cast<std::size_t>(first))
                             .first(static_cast<std::size_t>(std::min(kChunk, std::ssize(items) - first)));
      std::vector<cv::Mat> images(chunk.size());
      std::vector<std::string> reasons(chunk.size());
      cv::parallel_for_(cv::Range(0, static_cast<int>(chunk.size())), [&](const cv::Range& range) {
        for (auto i = static_cast<std::size_t>(range.start); i < static_cast<std::size_t>(range.end); ++i) {
          try {
            images[i] = collection.draw(chunk[i]);
          } catch (const std::exception& e) {
            reasons[i] = e.what();
          }
        }
      });
      for (std::size_t i = 0; i < chunk.size(); ++i) {
        if (images[i].empty()) {
          collection.skipped[{chunk[i].table, reasons[i]}].push_back(chunk[i].name);
        } else {
          writer.append(images[i]);
          ++written;
          drawn.push_back(std::move(chunk[i]));
        }
      }
      progress(collection.drawing, done += std::ssize(chunk), total);
    }
    items = std::move(drawn);
    return first_image;
  };
  const auto first_train = draw(collection.train);
  const auto first_probe = draw(collection.probe);
  const auto first_held_out = draw(collection.held_out);
  expect_usable(collection, std::ssize(collection.train), std::ssize(collection.held_out));
  Json probe = describe(first_probe, collection.probe, true);
  if (collection.probe.empty()) {
    const auto end = std::ranges::find(collection.train, Item::kNoLabel, &Item::label);
    probe = describe(first_train, {collection.train.begin(), end}, true);
  }
  Json metadata = metadata_of(collection);
  metadata["train"] = describe(first_train, collection.train, false);
  metadata["probe"] = std::move(probe);
  metadata["held_out"] = describe(first_held_out, collection.held_out, true);
  writer.finish(metadata);
}

}  // namespace roclip::bench
