#include "harness/data/package_pictures.h"

#include <algorithm>
#include <set>

#include <xxhash.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "harness/data/captions.h"
#include "harness/data/resample.h"
#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

Collection blank_collection(const std::string& name, bool only_labelled) {
  Collection data;
  data.name = name;
  data.image_px = kPackageImagePx;
  data.only_labelled = only_labelled;
  data.drawing = "drawing " + name;
  data.draw = [](const Item& item) { return draw_item(item, kPackageImagePx); };
  return data;
}

std::string class_of(const std::string& name, const FolderClasses& classes) {
  for (fs::path folder = fs::path(name).parent_path(); !folder.empty(); folder = folder.parent_path()) {
    if (const auto found = classes.find(folder.string()); found != classes.end()) return found->second;
  }
  return "";
}

std::vector<fs::path> all_below(const fs::path& folder) {
  std::vector<fs::path> paths;
  for_each_below(folder, [&](const fs::directory_entry& entry) { paths.push_back(entry.path()); });
  std::ranges::sort(paths);
  return paths;
}

void arrange(Collection& data, std::vector<Found> found, const std::vector<std::string>& prompts, int one_in) {
  std::ranges::sort(found, {}, [](const Found& each) { return each.item.name; });
  std::set<std::string> contents;
  std::erase_if(found, [&](const Found& each) {
    if (contents.insert(hash_hex(stored_bytes(each.item))).second) return false;
    data.skipped[{"", "the content of another file"}].push_back(each.item.name);
    return true;
  });
  std::map<std::string, std::vector<Item>> by_word;
  std::vector<Item> others;
  for (auto& [item, word] : found) (word.empty() ? others : by_word[word]).push_back(std::move(item));
  std::vector<Item>& fitted = data.only_labelled ? data.probe : data.train;
  for (auto& [word, items] : by_word) {
    const auto label = static_cast<std::int64_t>(data.classes.size());
    data.classes.push_back(make_class(word, prompts));
    std::ranges::sort(items, {}, [](const Item& item) { return XXH3_64bits(item.name.data(), item.name.size()); });
    for (std::size_t i = 0; i < items.size(); ++i) {
      items[i].label = label;
      (i % static_cast<std::size_t>(one_in) == 0 ? data.held_out : fitted).push_back(std::move(items[i]));
    }
  }
  if (!data.only_labelled) std::ranges::move(others, std::back_inserter(data.train));
}

cv::Mat fill_square(const cv::Mat& image) {
  constexpr int kMarginShare = 32;  // of the longer side
  const cv::Scalar first = image.at<cv::Vec3b>(0, 0);
  cv::Mat same, white, ink;
  cv::inRange(image, first, first, same);
  if (cv::countNonZero(same) == static_cast<int>(same.total())) throw Error(ErrorKind::kData, "one colour only");
  cv::inRange(image, cv::Scalar::all(248), cv::Scalar::all(255), white);
  cv::bitwise_not(white, ink);
  std::vector<cv::Point> points;
  cv::findNonZero(ink, points);
  if (points.empty()) throw Error(ErrorKind::kData, "hardly anything on white");
  const cv::Rect box = cv::boundingRect(points);
  const int longer = std::max(box.width, box.height), side = longer + 2 * (longer / kMarginShare);
  const int down = side - box.height, across = side - box.width;
  cv::Mat square;
  cv::copyMakeBorder(image(box).clone(), square, down / 2, down - down / 2, across / 2, across - across / 2,
                     cv::BORDER_CONSTANT, cv::Scalar::all(255));
  return centre_square(square, kPackageImagePx);
}

cv::Mat draw_cut_out(const Item& item) { return fill_square(draw_item(item, 8 * kPackageImagePx)); }

}  // namespace roclip::bench
