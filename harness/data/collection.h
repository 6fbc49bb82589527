/// What a reader (emoji.h, user_data.h) hands over: which images there are and what is said about them.
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

/// How an image is stored.
enum class Coding {
  kFile,   ///< a file, or a part of one, of any format that OpenCV decodes; a file *.svg is rendered
  kSvg,    ///< an SVG document in memory
  kPixels  ///< bytes in memory, a square of one channel or of three, channel by channel
};

struct Item {
  std::string name;    ///< for messages: a relative path, or "noto:red-apple"
  std::string source;  ///< the path of the file, or what is in memory
  std::string caption;
  std::string meaning = {};  ///< of an emoji: its label, "red apple"
  std::int64_t label = kNoLabel;
  std::string table = {};  ///< "pairs", "labelled" or "probe": the key of the user's table that has it; else ""
  Coding coding = Coding::kFile;
  std::int64_t offset = 0, bytes = kWholeFile;  ///< which part of the file

  static constexpr std::int64_t kWholeFile = -1;
  static constexpr std::int64_t kNoLabel = -1;
};

struct Collection {
  std::string name;
  std::int64_t image_px = 0;
  std::vector<ClassInfo> classes;
  bool only_labelled = false;  ///< images to judge by: there is nothing to train on
  std::vector<Item> train;     ///< the labelled ones first
  std::vector<Item> probe;     ///< empty: the labelled training images are the probe set
  std::vector<Item> held_out;  ///< all labelled
  std::string drawing;         ///< what progress calls draw(), "rendering emoji"
  /// Gives RGB [image_px, image_px, 3]. Runs on several threads. What it throws is the reason to skip.
  std::function<cv::Mat(const Item&)> draw;
  Json sources = Json::array();              ///< where the images are from: package, version, author, licence
  std::map<std::string, std::int64_t> rows;  ///< how many rows, or files of a folder, each of the user's tables has
  LeftOut skipped;
  bool encoded = false;         ///< stored as encoded_pack.h has it, not as pixels
  std::int64_t longest_px = 0;  ///< an encoded image whose longer side is more is stored smaller, as JPEG; 0: none is
};

/// What every prepared data set states of itself: name, classes, sources, rows, and what was left out.
Json metadata_of(const Collection& collection);
/// @throws Error(kData) with all that was left out, if there is nothing to train on, or nothing labelled where that is
/// all there is
void expect_usable(const Collection& collection, std::int64_t pairs, std::int64_t held_out);

/// What an image is stored as, undecoded. @throws Error(kData) "file not found", ..., without the name of the file
std::string stored_bytes(const Item& item);
/// The middle square of an image, resized as open_clip does it. @return RGB, uint8 [px, px, 3]
/// @throws Error(kData) "not a readable image", or whatever stored_bytes() throws
cv::Mat draw_item(const Item& item, std::int64_t px);

/// Draws all images and writes the packed file (in place: the caller renames).
/// @throws Error(kData) if no pair is left, or if the file cannot be written.
void pack_collection(Collection collection, const std::filesystem::path& file, const Progress& progress);

}  // namespace roclip::bench
