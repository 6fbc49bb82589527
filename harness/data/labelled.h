/// Labelled images in the forms that data sets are published in.
#pragma once

#include <string>
#include <vector>

#include "harness/data/collection.h"

namespace roclip::bench {

/// What a table's columns are called, and where its images are. Empty: the usual names, the folder of the table.
struct TableKeys {
  std::string image_root, image_column, label_column, delimiter;
};

struct LabelledItem {
  Item item;
  std::string label;
};

struct LabelledSource {
  std::vector<LabelledItem> images;  ///< by name
  std::vector<std::string> words;    ///< class words of the labels "0", "1", ..., where the source itself tells them
};

/// Reads labelled images; decodes none of them. What the path is decides how:
/// - shards (webdataset.h), whose samples have their label in .cls;
/// - *.bin: binaries of CIFAR-10 or CIFAR-100, told apart by the names of classes that lie beside them;
/// - *-images-idx3-ubyte, also *.gz: IDX, as MNIST is; the labels are in the file *-labels-idx1-ubyte beside it;
/// - a folder with labels.csv in it, or any other file: a table of images and labels;
/// - any other folder: a folder of images per class.
/// A range in braces names several files: "data_batch_{1..5}.bin".
/// @param table "labelled" or "probe": under what the rows are counted in `data`, with what is left out
/// @throws Error(kData)
LabelledSource read_labelled(const std::string& source, const TableKeys& keys, const char* table, Collection& data);

/// All files and folders whose size and time tell whether a labelled source changed. @throws Error(kData)
std::vector<std::filesystem::path> parts_of_labelled(const std::string& source);

/// The labels in order: by number if all are numbers, else by letters.
std::vector<std::string> sorted_labels(const std::vector<LabelledItem>& a, const std::vector<LabelledItem>& b);

/// Calls use(image, text) for each record of a table that has both, and notes the others as left out.
/// @param table "pairs", "labelled" or "probe" @param column, usual, key of the text, as Table::column() takes them
void read_table(const std::filesystem::path& file, const TableKeys& keys, const char* table, const std::string& column,
                const std::vector<std::string>& usual, const char* key, Collection& data,
                const std::function<void(const std::string& image, const std::string& text)>& use);

}  // namespace roclip::bench
