/// What the readers of pictures from packages have in common: classes by folder, a held-out part of each class,
/// drawings cut out of their page.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include "harness/data/collection.h"

namespace roclip::bench {

inline constexpr std::int64_t kPackageImagePx = 64;

/// Without images yet; draw() is draw_item() at kPackageImagePx.
Collection blank_collection(const std::string& name, bool only_labelled = false);

/// A picture, and the word of its class; empty: none.
struct Found {
  Item item;
  std::string word;
};

/// Folders, and the class word of what is in them and below.
using FolderClasses = std::map<std::string, std::string>;
/// That of the innermost folder that has a class; empty if none has. @param name path of a file, relative
std::string class_of(const std::string& name, const FolderClasses& classes);

/// Everything below a folder, in the order of names. @throws Error(kData)
std::vector<std::filesystem::path> all_below(const std::filesystem::path& folder);

/// Numbers the classes in the order of their words, and puts every `one_in`-th image of a class into the held-out set
/// and the others into the training set, or into the probe set of a collection of only labelled images. Equal files
/// count once. @throws Error(kData)
void arrange(Collection& data, std::vector<Found> found, const std::vector<std::string>& prompts, int one_in);

/// What is not white, in the middle of a white square: many drawings take a small part of their page.
/// @return RGB, uint8 [kPackageImagePx, kPackageImagePx, 3] @throws Error(kData) if all is white, or of one other
/// colour
cv::Mat fill_square(const cv::Mat& image);
/// An SVG file, drawn large before it is cut out by fill_square().
cv::Mat draw_cut_out(const Item& item);

}  // namespace roclip::bench
