#include "harness/data/collection.h"

#include <algorithm>

#include <opencv2/core/utility.hpp>

#include "harness/data/pack.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace {

constexpr std::int64_t kNamesPerReason = 10;

class Drawer {
 public:
  Drawer(Collection& collection, PackWriter& writer, const Progress& progress)
      : collection_(collection), writer_(writer), progress_(progress) {
    total_ = count(collection.train) + count(collection.probe) + count(collection.held_out);
  }

  /// Draws the items on all cores, a chunk at a time, and appends them in order. Drops the items that cannot be drawn.
  /// @return index of the first image.
  std::int64_t draw(std::vector<Item>& items) {
    constexpr std::int64_t kChunk = 64;
    const std::int64_t first_image = images_;
    std::vector<Item> drawn;
    for (std::int64_t first = 0; first < count(items); first += kChunk) {
      const auto size = std::min(kChunk, count(items) - first);
      std::vector<cv::Mat> images(static_cast<std::size_t>(size));
      std::vector<std::string> reasons(images.size());
      cv::parallel_for_(cv::Range(0, static_cast<int>(size)), [&](const cv::Range& range) {
        for (auto i = static_cast<std::size_t>(range.start); i < static_cast<std::size_t>(range.end); ++i) {
          try {
            images[i] = collection_.draw(items[static_cast<std::size_t>(first) + i].source);
          } catch (const std::exception& e) {
            reasons[i] = e.what();
          }
        }
      });
      for (std::size_t i = 0; i < images.size(); ++i) {
        Item& item = items[static_cast<std::size_t>(first) + i];
        if (images[i].empty()) {
          collection_.skipped[{item.table, reasons[i]}].push_back(item.name);
        } else {
          writer_.append(images[i]);
          ++images_;
          drawn.push_back(std::move(item));
        }
      }
      progress_(collection_.drawing, done_ += size, total_);
    }
    items = std::move(drawn);
    return first_image;
  }

 private:
  static std::int64_t count(const std::vector<Item>& items) { return static_cast<std::int64_t>(items.size()); }

  Collection& collection_;
  PackWriter& writer_;
  const Progress& progress_;
  std::int64_t total_, done_ = 0, images_ = 0;
};

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

void pack_collection(Collection collection, const std::filesystem::path& file, const Progress& progress) {
  const auto images = collection.train.size() + collection.probe.size() + collection.held_out.size();
  expect_space(file, static_cast<std::int64_t>(images), collection.image_px, progress);
  PackWriter writer(file, collection.image_px);
  Drawer drawer(collection, writer, progress);
  const auto first_train = drawer.draw(collection.train);
  const auto first_probe = drawer.draw(collection.probe);
  const auto first_held_out = drawer.draw(collection.held_out);
  if (collection.train.empty()) {
    throw Error(ErrorKind::kData, collection.name + ": no usable pair of image and caption; left out: " +
                                      describe(collection.skipped).dump());
  }
  Json probe = describe(first_probe, collection.probe, true);
  if (collection.probe.empty()) {
    const auto end = std::ranges::find(collection.train, Item::kNoLabel, &Item::label);
    probe = describe(first_train, {collection.train.begin(), end}, true);
  }
  Json classes = Json::array();
  for (const auto& info : collection.classes) classes.push_back({{"name", info.name}, {"prompts", info.prompts}});
  Json metadata = {{"name", collection.name},
                   {"classes", std::move(classes)},
                   {"train", describe(first_train, collection.train, false)},
                   {"probe", std::move(probe)},
                   {"held_out", describe(first_held_out, collection.held_out, true)},
                   {"sources", collection.sources},
                   {"skipped", describe(collection.skipped)}};
  if (!collection.rows.empty()) metadata["rows"] = collection.rows;
  writer.finish(metadata);
}

}  // namespace roclip::bench
