/// Data sets that Debian packages bring: `openclipart`, `tuxpaint`, `fashion-mnist` and `iso-flags`. README.md
/// describes them. They are read where they are installed; nothing of them is part of this program.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/data/collection.h"

namespace roclip::bench {

/// The names of the four.
std::vector<std::string> package_sets();
bool is_package_set(const std::string& name);
/// Whether it has pairs to train on. Sets without are labelled images to judge by. @pre is_package_set(name)
bool has_pairs(const std::string& name);
/// One line for lists, with the package that it needs. @pre is_package_set(name)
std::string summary_of(const std::string& name);

/// The packed file in the cache. Its name has a hash of the times of all folders of the set (of fashion-mnist: of size
/// and time of its files), which change when another version of the package is installed.
/// @throws Error(kData) as expect_packages()
std::filesystem::path package_file(const std::string& name);
/// Makes sure that the packages of these sets are installed, and those of the fonts for the text in them; names that
/// are no package_sets() are ignored.
/// @throws Error(kData) that names all missing packages and the command that installs them
void expect_packages(const std::vector<std::string>& names);
/// Reads a set from where its package is installed: below $ROCLIP_BENCH_PACKAGES, else below /. @throws Error(kData)
Collection read_package_set(const std::string& name);

// The readers list files and read captions; they draw nothing yet. A file with the content of another one is left out.
// Of each class, the images are put in the order of hashes of their names, and every fifth is held out (iso-flags:
// every second). All give images of 64 px; of openclipart and tuxpaint, they show what is not white, as large as it
// fits. @throws Error(kData)

/// Drawings (*.svg) in folders. The caption is the title and up to five keywords of the drawing's metadata; a drawing
/// without a title, or with one that ten or more drawings share, has the words of its file name in place of it. A link
/// to a drawing gives it the class of the link's folder, if its own folder has none. Drawings in folders of no class
/// are in the training set only.
/// @param folder with animals/, buildings/, ...
Collection read_openclipart(const std::filesystem::path& folder);

/// Pictures (*.png, on white where they are transparent, and *.svg, which goes before a *.png of the same name) with a
/// text of the same name beside them, whose first line is the caption. A picture without such a text is left out.
/// @param folder with animals/, clothes/, ...
Collection read_tuxpaint(const std::filesystem::path& folder);

/// Four IDX files, compressed by gzip. The 10,000 test images are held out; the probe set is 1,000 of each class of the
/// training images, or all where there are fewer.
Collection read_fashion_mnist(const std::filesystem::path& folder);

/// Flags, xx.svg with the country's code of ISO 3166. Their classes are six regions of the world; flags of codes that
/// belong to no region are left out.
Collection read_iso_flags(const std::filesystem::path& folder);

}  // namespace roclip::bench
