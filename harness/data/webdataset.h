/// Shards as PyPI's webdataset writes them: tar files, in which the files of one sample stand next to each other and
/// share their name up to the first dot: 000001.jpg, 000001.txt, 000001.cls.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "harness/data/collection.h"

namespace roclip::bench {

/// One sample. Its image stays in the shard.
struct Sample {
  std::string key;                           ///< "000001"
  Item image;                                ///< a part of the shard; `source` is empty if there is no image
  std::map<std::string, std::string> texts;  ///< by what follows the first dot: "txt", "json", "cls"
};

/// Whether a path names shards: "a.tar", "train-{000..127}.tar", or a folder with *.tar in it.
bool names_shards(const std::string& path);

/// The shards that a path names, in order; a range of numbers in braces is written out, with its leading zeros. Whether
/// they exist is not looked at. @throws Error(kData) for a range that is not one, or for more than a million shards
std::vector<std::filesystem::path> shards_of(const std::string& path);

/// Calls use(sample) for each sample of a shard, in order. Images are passed over, texts are read.
/// @throws Error(kData) for a file that is missing, compressed, no tar or cut off: with its name, where, and what to do
void read_shard(const std::filesystem::path& shard, const std::function<void(Sample&&)>& use);

}  // namespace roclip::bench
