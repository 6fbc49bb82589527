#include "harness/data/csv_data.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string_view>

#include <xxhash.h>
#include <boost/algorithm/string.hpp>

#include "harness/data/cache.h"
#include "harness/data/captions.h"
#include "harness/data/image.h"
#include "harness/data/resample.h"
#include "harness/record/escape.h"
#include "roclip/error.h"
#include "roclip/params.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

struct Spec {
  std::string reader = "csv";
  std::string name, pairs, labelled, probe, image_root, image_column, caption_column, label_column, delimiter;
  std::int64_t image_px = 64;
  std::vector<std::string> classes;
  std::vector<std::string> prompts = {"a photo of a {}", "a picture of a {}", "{}"};

  void declare(ParamList& list) {
    list.choice("reader", reader, {"csv"}, "how the data is stored", "");
    list.add("name", name, "what reports call the data; empty: the name of the table", "");
    list.add("pairs", pairs, "table of images and captions", "");
    list.add("labelled", labelled, "labelled images: a table, or a folder with one folder per class", "");
    list.add("probe", probe, "the same for the linear probe; empty: half of `labelled`", "");
    list.add("image_root", image_root, "what image paths are relative to; empty: the folder of their table", "");
    list.add("image_column", image_column, "empty: path, image or filepath", "");
    list.add("caption_column", caption_column, "empty: caption, title or text", "");
    list.add("label_column", label_column, "empty: label or class", "");
    list.add("delimiter", delimiter, "one character; empty: a tab for *.tsv and *.tab, else a comma", "");
    list.add("image_px", image_px, Range{8, 1024}, "px", "side of the stored images", "");
    list.add("classes", classes, "class words, in the sorted order of the labels; empty: the labels", "");
    list.add("prompts", prompts, "zero-shot templates, {} is the class word", "Radford et al. 2021");
  }
};

/// `json` has been validated by effective_csv().
Spec spec_of(const Json& json) { return read_params<Spec>(json, "data"); }

/// The records of a table as maps; column names by their first match in the header.
class Table {
 public:
  Table(const fs::path& file, const std::string& delimiter) : file_(file), in_(file, std::ios::binary) {
    if (!in_) throw Error(ErrorKind::kData, file.string() + ": cannot be read");
    const auto extension = file.extension();
    const bool tabs = delimiter.empty() ? extension == ".tsv" || extension == ".tab" : delimiter == "\t";
    reader_.emplace(in_, tabs ? '\t' : delimiter.empty() ? ',' : delimiter[0]);
    next(header_);
  }

  /// Which column `wanted` is, or else the first of `usual` that exists.
  std::size_t column(const std::string& wanted, std::vector<std::string> usual, const char* key) const {
    if (!wanted.empty()) usual = {wanted};
    for (const auto& name : usual) {
      const auto found = std::ranges::find(header_, name);
      if (found != header_.end()) return static_cast<std::size_t>(found - header_.begin());
    }
    throw Error(ErrorKind::kData, file_.string() + ": no column \"" + boost::join(usual, "\" or \"") +
                                      "\" (columns: " + boost::join(header_, ", ") + "); set \"" + key + "\"");
  }

  bool next(std::vector<std::string>& record) {
    try {
      return reader_->next(record);
    } catch (const Error& e) {
      throw Error(ErrorKind::kData, file_.string() + ": " + e.what());
    }
  }
  /// "pairs.csv: line 7"
  std::string place() const { return file_.filename().string() + ": line " + std::to_string(reader_->line()); }

 private:
  fs::path file_;
  std::ifstream in_;
  std::optional<CsvReader> reader_;
  std::vector<std::string> header_;
};

struct Labelled {
  std::string name, path, label;  ///< name: the path in the table, or class folder and file
};

fs::path root_of(const Spec& spec, const fs::path& table) {
  return spec.image_root.empty() ? table.parent_path() : fs::path(spec.image_root);
}

/// Calls use(image, text) for each record that has both, and notes the others as skipped.
/// @param name "pairs", "labelled" or "probe"
template <class Use>
void read_table(const Spec& spec, const char* name, const fs::path& file, const std::string& column,
                const std::vector<std::string>& usual, const char* key, Collection& data, Use use) {
  Table table(file, spec.delimiter);
  const auto image_column = table.column(spec.image_column, {"path", "image", "filepath"}, "image_column");
  const auto text_column = table.column(column, usual, key);
  std::vector<std::string> record;
  while (table.next(record)) {
    ++data.rows[name];
    if (record.size() <= std::max(image_column, text_column)) {
      data.skipped[{name, "too few fields"}].push_back(table.place());
      continue;
    }
    const std::string image = boost::trim_copy(record[image_column]), text = boost::trim_copy(record[text_column]);
    if (image.empty() || text.empty()) {
      data.skipped[{name, image.empty() ? "empty image path" : "empty " + usual[0]}].push_back(table.place());
    } else {
      use(image, text);
    }
  }
}

/// Calls use(entry) for all that is below a folder; links to folders are not followed.
template <class Use>
void for_each_below(const fs::path& folder, Use use) {
  try {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) use(entry);
  } catch (const fs::filesystem_error& e) {
    throw Error(ErrorKind::kData, e.path1().string() + ": cannot be read: " + e.code().message());
  }
}

std::vector<Labelled> read_labelled(const Spec& spec, const char* name, const fs::path& source, Collection& data) {
  std::vector<Labelled> images;
  if (fs::is_directory(source)) {
    for_each_below(source, [&](const fs::directory_entry& entry) {
      const auto relative = entry.path().lexically_relative(source);
      std::error_code none;
      const auto type = entry.status(none).type();
      const bool is_folder = type == fs::file_type::directory, is_link = entry.is_symlink(none);
      if ((is_folder && !is_link) || (!is_folder && !relative.has_parent_path())) return;
      ++data.rows[name];
      if (type == fs::file_type::regular) {
        images.push_back({relative.string(), entry.path().string(), relative.begin()->string()});
      } else {
        const char* reason = !is_link    ? "not a file"
                             : is_folder ? "a link to a folder, which is not followed"
                                         : "a link that leads to no file";
        data.skipped[{name, reason}].push_back(relative.string());
      }
    });
  } else {
    read_table(spec, name, source, spec.label_column, {"label", "class"}, "label_column", data,
               [&](const std::string& image, const std::string& label) {
                 images.push_back({image, (root_of(spec, source) / image).string(), label});
               });
  }
  std::ranges::sort(images, {}, &Labelled::name);
  return images;
}

/// The labels in order: by number if all are numbers, else by letters.
std::vector<std::string> sorted_labels(const std::vector<Labelled>& a, const std::vector<Labelled>& b) {
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

/// Half of the images of each label, by the hashes of their names: the same half whatever the order of the table.
void split(const std::vector<Labelled>& images, std::vector<Labelled>& first, std::vector<Labelled>& second) {
  std::map<std::string, std::vector<std::pair<std::uint64_t, const Labelled*>>> by_label;
  for (const auto& image : images) {
    by_label[image.label].emplace_back(XXH3_64bits(image.name.data(), image.name.size()), &image);
  }
  for (auto& [label, members] : by_label) {
    std::ranges::sort(members, {}, [](const auto& member) { return member.first; });
    for (std::size_t i = 0; i < members.size(); ++i) (i % 2 == 0 ? first : second).push_back(*members[i].second);
  }
}

}  // namespace

Json effective_csv(const Json& data, const fs::path& base, const std::string& where) {
  auto spec = read_params<Spec>(data, where);
  const auto refuse = [&](const char* key, const std::string& message) {
    throw Error(ErrorKind::kMatrix, where + "/" + key + ": " + message);
  };
  if (spec.pairs.empty()) refuse("pairs", "expected the path of a table of images and captions");
  if (spec.delimiter.size() > 1) refuse("delimiter", "expected one character, got " + Json(spec.delimiter).dump());
  if (spec.prompts.empty()) refuse("prompts", "expected at least one template");
  for (const auto& prompt : spec.prompts) {
    if (!boost::contains(prompt, "{}")) refuse("prompts", "expected \"{}\" in " + Json(prompt).dump());
  }
  if (!spec.probe.empty() && spec.labelled.empty()) refuse("labelled", "is needed where \"probe\" is set");
  const std::pair<const char*, std::string*> paths[] = {
      {"pairs", &spec.pairs}, {"labelled", &spec.labelled}, {"probe", &spec.probe}, {"image_root", &spec.image_root}};
  for (const auto& [key, path] : paths) {
    if (path->empty()) continue;
    *path = fs::absolute(base / *path).lexically_normal().string();
    if (is_utf8(*path)) continue;
    const auto shown = Json(*path).dump(-1, ' ', false, Json::error_handler_t::replace);
    refuse(key, "the path " + shown + " is not UTF-8; rename the folder");
  }
  if (spec.name.empty()) spec.name = fs::path(spec.pairs).stem().string();
  return write_params(spec);
}

fs::path csv_file(const Json& effective) {
  const Spec spec = spec_of(effective);
  constexpr const char* kRevision = "3";  // raised whenever this code makes another pack of the same files
  std::string key = kRevision + effective.dump();
  const auto add = [&](const fs::path& path) {
    std::error_code error;
    const auto time = fs::last_write_time(path, error);
    if (error) throw Error(ErrorKind::kData, path.string() + ": " + error.message());
    key += '\n' + path.string() + ' ' + std::to_string(time.time_since_epoch().count());
    if (fs::is_regular_file(path)) key += ' ' + std::to_string(fs::file_size(path));
  };
  add(spec.pairs);
  for (const std::string& source : {spec.labelled, spec.probe}) {
    if (source.empty()) continue;
    add(source);
    if (!fs::is_directory(source)) continue;
    std::set<fs::path> folders;
    for_each_below(source, [&](const fs::directory_entry& entry) {
      std::error_code none;
      if (entry.symlink_status(none).type() == fs::file_type::directory) folders.insert(entry.path());
    });
    for (const auto& folder : folders) add(folder);
  }
  return cache_file("csv", key);
}

Collection read_csv_data(const Json& effective) {
  const Spec spec = spec_of(effective);
  Collection data;
  data.name = spec.name;
  data.image_px = spec.image_px;
  data.drawing = "decoding images";
  data.draw = [px = spec.image_px](const std::string& path) { return centre_square(read_rgb(path), px); };
  read_table(spec, "pairs", spec.pairs, spec.caption_column, {"caption", "title", "text"}, "caption_column", data,
             [&](const std::string& image, const std::string& caption) {
               data.train.push_back({.name = image,
                                     .source = (root_of(spec, spec.pairs) / image).string(),
                                     .caption = caption,
                                     .table = "pairs"});
             });
  if (spec.labelled.empty()) return data;

  std::vector<Labelled> held_out = read_labelled(spec, "labelled", spec.labelled, data), probe;
  if (spec.probe.empty()) {
    std::vector<Labelled> all;
    all.swap(held_out);
    split(all, held_out, probe);
  } else {
    probe = read_labelled(spec, "probe", spec.probe, data);
  }
  const auto labels = sorted_labels(held_out, probe);
  if (!spec.classes.empty() && spec.classes.size() != labels.size()) {
    throw Error(ErrorKind::kData, spec.labelled + ": has " + std::to_string(labels.size()) +
                                      " labels, \"classes\" has " + std::to_string(spec.classes.size()) +
                                      " words (labels: " + boost::join(labels, ", ") + ")");
  }
  std::map<std::string, std::int64_t> index;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    index.emplace(labels[i], static_cast<std::int64_t>(i));
    std::string word = spec.classes.empty() ? labels[i] : spec.classes[i];
    if (spec.classes.empty()) std::ranges::replace_if(word, boost::is_any_of("_-"), ' ');
    data.classes.push_back(make_class(word, spec.prompts));
  }
  const auto items = [&](const std::vector<Labelled>& images, const char* table) {
    std::vector<Item> result;
    for (const auto& image : images) {
      result.push_back(
          {.name = image.name, .source = image.path, .caption = "", .label = index.at(image.label), .table = table});
    }
    return result;
  };
  data.probe = items(probe, spec.probe.empty() ? "labelled" : "probe");
  data.held_out = items(held_out, "labelled");
  return data;
}

CsvReader::CsvReader(std::istream& in, char delimiter) : in_(in), delimiter_(delimiter) {
  char mark[3];
  if (in_.read(mark, sizeof mark) && std::string_view(mark, sizeof mark) == "\xEF\xBB\xBF") return;
  in_.clear();
  in_.seekg(0);
}

bool CsvReader::next(std::vector<std::string>& record) {
  while (in_.peek() == '\n' || in_.peek() == '\r') line_ += in_.get() == '\n';
  if (in_.peek() == std::istream::traits_type::eof()) return false;
  record_line_ = line_;
  record.assign(1, "");
  bool quoted = false, at_start = true;
  char c;
  while (in_.get(c)) {
    line_ += c == '\n';
    if (quoted) {
      if (c != '"') {
        record.back() += c;
      } else if (in_.peek() == '"') {
        record.back() += static_cast<char>(in_.get());
      } else {
        quoted = false;
      }
    } else if (c == '"' && at_start) {
      quoted = true;
      at_start = false;
    } else if (c == delimiter_) {
      record.emplace_back();
      at_start = true;
    } else if (c == '\n') {
      return true;
    } else if (c != '\r' || in_.peek() != '\n') {
      record.back() += c;
      at_start = false;
    }
  }
  if (quoted) {
    throw Error(ErrorKind::kData, "line " + std::to_string(record_line_) + ": a quoted field that is never closed");
  }
  return true;
}

}  // namespace roclip::bench
