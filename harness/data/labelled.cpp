#include "harness/data/labelled.h"

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <set>

#include <boost/algorithm/string.hpp>
#include <boost/endian/conversion.hpp>

#include "harness/data/tables.h"
#include "harness/data/webdataset.h"
#include "harness/record/files.h"
#include "roclip/error.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr const char* kImages = "images-idx3-ubyte";

enum class Form { kShards, kCifar, kIdx, kTable, kFolders };

Form form_of(const std::string& source) {
  if (names_shards(source)) return Form::kShards;
  if (fs::is_directory(source)) return fs::exists(fs::path(source) / "labels.csv") ? Form::kTable : Form::kFolders;
  if (source.ends_with(".bin")) return Form::kCifar;
  return boost::contains(fs::path(source).filename().string(), kImages) ? Form::kIdx : Form::kTable;
}

void read_folders(const fs::path& source, const char* table, Collection& data, LabelledSource& result) {
  for_each_below(source, [&](const fs::directory_entry& entry) {
    const auto relative = entry.path().lexically_relative(source);
    std::error_code none;
    const auto type = entry.status(none).type();
    const bool is_folder = type == fs::file_type::directory, is_link = entry.is_symlink(none);
    if ((is_folder && !is_link) || (!is_folder && !relative.has_parent_path())) return;
    ++data.rows[table];
    if (type == fs::file_type::regular) {
      result.images.push_back(
          {{.name = relative.string(), .source = entry.path().string(), .caption = ""}, relative.begin()->string()});
    } else {
      const char* reason = !is_link    ? "not a file"
                           : is_folder ? "a link to a folder, which is not followed"
                                       : "a link that leads to no file";
      data.skipped[{table, reason}].push_back(relative.string());
    }
  });
}

void read_shards(const std::string& source, const char* table, Collection& data, LabelledSource& result) {
  for (const auto& shard : shards_of(source)) {
    read_shard(shard, [&](Sample&& sample) {
      ++data.rows[table];
      const auto label = boost::trim_copy(sample.texts["cls"]);
      if (sample.image.source.empty() || label.empty()) {
        const char* reason = sample.image.source.empty() ? "no image" : "no label";
        data.skipped[{table, reason}].push_back(shard.filename().string() + "/" + sample.key);
      } else {
        result.images.push_back({std::move(sample.image), label});
      }
    });
  }
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  if (!fs::exists(file)) return lines;
  const auto text = boost::trim_copy(read_file(file));
  boost::split(lines, text, boost::is_any_of("\n"));
  for (auto& line : lines) boost::trim(line);
  return lines;
}

/// CIFAR's: one or two bytes of label (of 100 classes: coarse, then fine), 32 x 32 of red, of green and of blue.
void read_cifar(const fs::path& file, const char* table, Collection& data, LabelledSource& result) {
  constexpr std::size_t kPixels = 3 * 32 * 32;
  const auto of_hundred = lines_of(file.parent_path() / "fine_label_names.txt"),
             of_ten = lines_of(file.parent_path() / "batches.meta.txt");
  if (of_hundred.empty() && of_ten.empty()) {
    refuse(file,
           "expected the names of its classes beside it, in batches.meta.txt (CIFAR-10) or fine_label_names.txt "
           "(CIFAR-100)");
  }
  result.words = of_ten.empty() ? of_hundred : of_ten;
  const std::size_t labels = of_ten.empty() ? 2 : 1, record = labels + kPixels;
  const auto bytes = read_file(file);
  if (bytes.empty() || bytes.size() % record != 0) {
    refuse(file, "has " + std::to_string(bytes.size()) + " bytes, expected a multiple of " + std::to_string(record));
  }
  for (std::size_t i = 0; i < bytes.size() / record; ++i) {
    ++data.rows[table];
    const auto label = static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[i * record + labels - 1]));
    const auto name = file.filename().string() + ": image " + std::to_string(i);
    if (label >= result.words.size()) {
      data.skipped[{table, "a label that has no name"}].push_back(name);
      continue;
    }
    result.images.push_back(
        {{.name = name, .source = bytes.substr(i * record + labels, kPixels), .caption = "", .coding = Coding::kPixels},
         std::to_string(label)});
  }
}

/// A file as it is or uncompressed.
std::string read_gz(const fs::path& file) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> in(gzopen(file.c_str(), "rb"), &gzclose);
  if (!in) refuse(file, "cannot be read");
  constexpr std::size_t kChunk = 1 << 20, kMost = std::size_t{4} << 30;
  std::string bytes;
  for (int got = 1; got > 0;) {
    const auto end = bytes.size();
    if (end > kMost) refuse(file, "holds more than 4 GiB");
    bytes.resize(end + kChunk);
    got = gzread(in.get(), bytes.data() + end, kChunk);
    if (got < 0) refuse(file, "is damaged: " + std::string(gzerror(in.get(), &got)));
    bytes.resize(end + static_cast<std::size_t>(got));
  }
  return bytes;
}

/// IDX: two zeros, the type (8: unsigned byte), the number of sizes, the sizes (u32, big-endian), the values.
struct Idx {
  std::vector<std::size_t> sizes;
  std::string values;
};

Idx read_idx(const fs::path& file, std::size_t dimensions) {
  auto bytes = read_gz(file);
  const auto head = 4 + 4 * dimensions;
  const std::string magic = {0, 0, 8, static_cast<char>(dimensions)};
  if (bytes.size() < head || bytes.compare(0, 4, magic) != 0) {
    refuse(file, "is no IDX file of bytes in " + std::to_string(dimensions) + " dimensions");
  }
  Idx idx;
  std::size_t count = 1;
  for (std::size_t i = 0; i < dimensions; ++i) {
    idx.sizes.push_back(boost::endian::load_big_u32(reinterpret_cast<const unsigned char*>(&bytes[4 + 4 * i])));
    if (idx.sizes.back() > bytes.size()) count = 0;
    count *= idx.sizes.back();
  }
  if (count == 0 || bytes.size() != head + count) {
    refuse(file, "has " + std::to_string(bytes.size()) + " bytes, which its header does not announce");
  }
  bytes.erase(0, head);
  idx.values = std::move(bytes);
  return idx;
}

void read_idx_images(const fs::path& file, const char* table, Collection& data, LabelledSource& result) {
  const Idx images = read_idx(file, 3);
  const auto beside =
      file.parent_path() / boost::replace_first_copy(file.filename().string(), kImages, "labels-idx1-ubyte");
  const Idx labels = read_idx(beside, 1);
  const auto count = images.sizes[0], pixels = images.sizes[1] * images.sizes[2];
  if (labels.sizes[0] != count) {
    refuse(beside, "has " + std::to_string(labels.sizes[0]) + " labels for " + std::to_string(count) + " images");
  }
  if (images.sizes[1] != images.sizes[2]) {
    refuse(file, "has images of " + std::to_string(images.sizes[1]) + " x " + std::to_string(images.sizes[2]) +
                     " pixels; expected squares");
  }
  data.rows[table] += static_cast<std::int64_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    result.images.push_back({{.name = file.filename().string() + ": image " + std::to_string(i),
                              .source = images.values.substr(i * pixels, pixels),
                              .caption = "",
                              .coding = Coding::kPixels},
                             std::to_string(static_cast<std::uint8_t>(labels.values[i]))});
  }
}

}  // namespace

void read_table(const fs::path& file, const TableKeys& keys, const char* table, const std::string& column,
                const std::vector<std::string>& usual, const char* key, Collection& data,
                const std::function<void(const std::string& image, const std::string& text)>& use) {
  Table records(file, keys.delimiter);
  const auto image_column = records.column(keys.image_column, {"path", "image", "filepath"}, "image_column");
  const auto text_column = records.column(column, usual, key);
  std::vector<std::string> record;
  while (records.next(record)) {
    ++data.rows[table];
    if (record.size() <= std::max(image_column, text_column)) {
      data.skipped[{table, "too few fields"}].push_back(records.place());
      continue;
    }
    const std::string image = boost::trim_copy(record[image_column]), text = boost::trim_copy(record[text_column]);
    if (image.empty() || text.empty()) {
      data.skipped[{table, image.empty() ? "empty image path" : "empty " + usual[0]}].push_back(records.place());
    } else {
      use(image, text);
    }
  }
}

LabelledSource read_labelled(const std::string& source, const TableKeys& keys, const char* table, Collection& data) {
  LabelledSource result;
  switch (form_of(source)) {
    case Form::kShards:
      read_shards(source, table, data, result);
      break;
    case Form::kCifar:
      for (const auto& file : shards_of(source)) read_cifar(file, table, data, result);
      break;
    case Form::kIdx:
      read_idx_images(source, table, data, result);
      break;
    case Form::kTable: {
      const fs::path file = fs::is_directory(source) ? fs::path(source) / "labels.csv" : fs::path(source);
      const fs::path root = keys.image_root.empty() ? file.parent_path() : fs::path(keys.image_root);
      read_table(file, keys, table, keys.label_column, {"label", "class"}, "label_column", data,
                 [&](const std::string& image, const std::string& label) {
                   result.images.push_back({{.name = image, .source = (root / image).string(), .caption = ""}, label});
                 });
      break;
    }
    case Form::kFolders:
      read_folders(source, table, data, result);
      break;
  }
  std::ranges::stable_sort(result.images, {}, [](const LabelledItem& image) { return image.item.name; });
  return result;
}

std::vector<fs::path> parts_of_labelled(const std::string& source) {
  switch (form_of(source)) {
    case Form::kShards:
    case Form::kCifar:
      return shards_of(source);
    case Form::kIdx:
      return {source};
    case Form::kTable:
      if (fs::is_directory(source)) return {fs::path(source) / "labels.csv"};
      return {source};
    case Form::kFolders:
      break;
  }
  std::set<fs::path> folders = {source};
  for_each_below(source, [&](const fs::directory_entry& entry) {
    std::error_code none;
    if (entry.symlink_status(none).type() == fs::file_type::directory) folders.insert(entry.path());
  });
  return {folders.begin(), folders.end()};
}

std::vector<std::string> sorted_labels(const std::vector<LabelledItem>& a, const std::vector<LabelledItem>& b) {
  std::set<std::string> unique;
  for (const auto* images : {&a, &b}) {
    for (const auto& image : *images) unique.insert(image.label);
  }
  std::vector<std::string> labels(unique.begin(), unique.end());
  const bool numbers = std::ranges::all_of(
      labels, [](const std::string& label) { return label.size() <= 9 && boost::all(label, boost::is_digit()); });
  if (numbers) std::ranges::sort(labels, {}, [](const std::string& label) { return std::stoi(label); });
  return labels;
}

}  // namespace roclip::bench
