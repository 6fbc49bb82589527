/// What a reader (emoji.h, csv_data.h) hands over: which images there are and what is said about them.
/// Packing it is the same for all readers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <opencv2/core/mat.hpp>

#include "harness/record/progress.h"
#include "roclip/dataset.h"
#include "roclip/params.h"

namespace roclip::bench {

/// What was left out: names by table and reason.
using LeftOut = std::map<std::pair<std::string, std::string>, std::vector<std::string>>;

struct Item {
  std::string name;    ///< for messages: a relative path, or "noto:red-apple"
  std::string source;  ///< what draw() makes an image of: a path, or an SVG document
  std::string caption;
  std::string meaning = {};  ///< of an emoji: its label, "red apple"
  std::int64_t label = kNoLabel;
  std::string table = {};  ///< "pairs", "labelled" or "probe": the key of the user's table that has it; else ""

  static constexpr std::int64_t kNoLabel = -1;
};

struct Collection {
  std::string name;
  std::int64_t image_px = 0;
  std::vector<ClassInfo> classes;
  std::vector<Item> train;     ///< the labelled ones first
  std::vector<Item> probe;     ///< empty: the labelled training images are the probe set
  std::vector<Item> held_out;  ///< all labelled
  std::string drawing;         ///< what progress calls draw(), "rendering emoji"
  /// Item::source -> RGB [image_px, image_px, 3]. Runs on several threads. What it throws is the reason to skip.
  std::function<cv::Mat(const std::string&)> draw;
  Json sources = Json::array();              ///< where the images are from: package, version, author, licence
  std::map<std::string, std::int64_t> rows;  ///< how many rows, or files of a folder, each of the user's tables has
  LeftOut skipped;
};

/// Draws all images and writes the packed file (in place: the caller renames).
/// @throws Error(kData) if no pair is left, or if the file cannot be written.
void pack_collection(Collection collection, const std::filesystem::path& file, const Progress& progress);

}  // namespace roclip::bench
