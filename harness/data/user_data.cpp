#include "harness/data/user_data.h"

#include <algorithm>
#include <array>
#include <map>

#include <xxhash.h>
#include <boost/algorithm/string.hpp>
#include <nlohmann/json.hpp>

#include "harness/data/cache.h"
#include "harness/data/captions.h"
#include "harness/data/labelled.h"
#include "harness/data/pack.h"
#include "harness/data/webdataset.h"
#include "harness/record/escape.h"
#include "harness/record/files.h"
#include "harness/record/paths.h"
#include "roclip/error.h"
#include "roclip/params.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr const char *kCsv = "csv", *kWebdataset = "webdataset", *kLabelled = "labelled",
                     *kImagenet = "imagenet";  // in place of a file of prompts

struct Spec {
  std::string reader = kCsv;
  std::string name, pairs, labelled, probe, class_file, prompt_file, caption_column;
  TableKeys keys;
  std::string store = "auto";
  std::int64_t image_px = 64, longest_px = 0;
  std::vector<std::string> classes;
  std::vector<std::string> prompts = {"a photo of a {}", "a picture of a {}", "{}"};

  void declare(ParamList& list) {
    list.choice("reader", reader, {kCsv, kWebdataset, kLabelled}, "how the data is stored", "");
    list.add("name", name, "what reports call the data; empty: the name of the table", "");
    list.add("pairs", pairs, "table of images and captions, or shards of them", "");
    list.add("labelled", labelled, "labelled images: a table, folder, shards, CIFAR or IDX", "");
    list.add("probe", probe, "the same for the linear probe; empty: half of `labelled`", "");
    list.add("image_root", keys.image_root, "what image paths are relative to; empty: the folder of their table", "");
    list.add("image_column", keys.image_column, "empty: path, image or filepath", "");
    list.add("caption_column", caption_column, "empty: caption, title or text", "");
    list.add("label_column", keys.label_column, "empty: label or class", "");
    list.add("delimiter", keys.delimiter, "one character; empty: a tab for *.tsv and *.tab, else a comma", "");
    list.choice("store", store, {"auto", "pixels", "encoded"}, "auto: pixels as long as they take less than 2 GiB", "");
    list.add("longest_px", longest_px, Range{0, 65535}, "px", "longer side of encoded images; 0: as they come", "");
    list.add("image_px", image_px, Range{8, 1024}, "px", "side of the stored images", "");
    list.add("classes", classes, "class words, in the sorted order of the labels; empty: the labels", "");
    list.add("class_file", class_file, "the same in a file, JSON or a line each", "");
    list.add("prompts", prompts, "zero-shot templates, {} is the class word", "Radford et al. 2021");
    list.add("prompt_file", prompt_file, "the same in a file; \"imagenet\": CLIP's 80 templates", "");
  }
};

/// `json` has been validated.
Spec spec_of(const Json& json) { return read_params<Spec>(json, "data"); }

fs::path root_of(const Spec& spec, const fs::path& table) {
  return spec.keys.image_root.empty() ? table.parent_path() : fs::path(spec.keys.image_root);
}

/// Words from a file: a JSON array; an object {"0": ..., "1": ...}; an object that has either under `key`, as the
/// authors' classes.py has "classes" and "templates"; or text with a line each.
std::vector<std::string> read_words(const fs::path& file, const std::vector<std::string>& keys) {
  const auto refuse = [&](const std::string& got) {
    throw Error(ErrorKind::kData, file.string() + R"(: expected words: ["tench", ...], {"0": "tench", ...}, {")" +
                                      keys.front() + R"(": [...]} or a line each, got )" + got);
  };
  std::vector<std::string> words;
  if (file.extension() != ".json") {
    const auto text = boost::trim_copy(read_file(file));
    if (text.empty()) refuse("an empty file");
    boost::split(words, text, boost::is_any_of("\n"));
    for (auto& word : words) boost::trim(word);
    return words;
  }
  Json json = read_json(file);
  for (const auto& key : keys) {
    if (json.is_object() && json.contains(key)) {
      Json inner = json[key];
      json = std::move(inner);
      break;
    }
  }
  if (json.is_object()) {
    std::map<std::int64_t, Json> by_number;
    for (const auto& [key, word] : json.items()) {
      if (key.empty() || key.size() > 9 || !boost::all(key, boost::is_digit())) refuse("the key \"" + key + "\"");
      by_number[std::stoll(key)] = word;
    }
    json = Json::array();
    for (const auto& [number, word] : by_number) json.push_back(word);
  }
  if (!json.is_array() || json.empty()) refuse(json.dump().substr(0, 40));
  for (const Json& word : json) {
    if (!word.is_string()) refuse(word.dump().substr(0, 40));
    words.push_back(word);
  }
  return words;
}

/// The templates, "{}" where the class word goes; files of CLIP_benchmark write "{c}".
std::vector<std::string> prompts_of(const Spec& spec) {
  if (spec.prompt_file.empty()) return spec.prompts;
  const fs::path file =
      spec.prompt_file == kImagenet ? share_dir() / "prompts/imagenet.json" : fs::path(spec.prompt_file);
  auto prompts = read_words(file, {"prompts", "templates"});
  for (auto& prompt : prompts) {
    boost::replace_all(prompt, "{c}", "{}");
    if (!boost::contains(prompt, "{}")) {
      throw Error(ErrorKind::kData, file.string() + ": expected \"{}\" in " + Json(prompt).dump());
    }
  }
  return prompts;
}

/// Half of the images of each label, by the hashes of their names: the same half whatever the order of the table.
void split(const std::vector<LabelledItem>& images, std::vector<LabelledItem>& first,
           std::vector<LabelledItem>& second) {
  std::map<std::string, std::vector<std::pair<std::uint64_t, const LabelledItem*>>> by_label;
  for (const auto& image : images) {
    by_label[image.label].emplace_back(XXH3_64bits(image.item.name.data(), image.item.name.size()), &image);
  }
  for (auto& [label, members] : by_label) {
    std::ranges::sort(members, {}, [](const auto& member) { return member.first; });
    for (std::size_t i = 0; i < members.size(); ++i) (i % 2 == 0 ? first : second).push_back(*members[i].second);
  }
}

Json effective(Spec spec, const fs::path& base, const std::string& where) {
  const auto refuse = [&](const char* key, const std::string& message) {
    throw Error(ErrorKind::kMatrix, where + "/" + key + ": " + message);
  };
  if (spec.keys.delimiter.size() > 1) {
    refuse("delimiter", "expected one character, got " + Json(spec.keys.delimiter).dump());
  }
  if (spec.prompts.empty()) refuse("prompts", "expected at least one template");
  for (const auto& prompt : spec.prompts) {
    if (!boost::contains(prompt, "{}")) refuse("prompts", "expected \"{}\" in " + Json(prompt).dump());
  }
  if (!spec.probe.empty() && spec.labelled.empty()) refuse("labelled", "is needed where \"probe\" is set");
  if (!spec.classes.empty() && !spec.class_file.empty()) refuse("class_file", "cannot be set beside \"classes\"");
  const std::pair<const char*, std::string*> paths[] = {
      {"pairs", &spec.pairs},           {"labelled", &spec.labelled},       {"probe", &spec.probe},
      {"class_file", &spec.class_file}, {"prompt_file", &spec.prompt_file}, {"image_root", &spec.keys.image_root}};
  for (const auto& [key, path] : paths) {
    if (path->empty() || (path == &spec.prompt_file && *path == kImagenet)) continue;
    *path = fs::absolute(base / *path).lexically_normal().string();
    if (is_utf8(*path)) continue;
    const auto shown = Json(*path).dump(-1, ' ', false, Json::error_handler_t::replace);
    refuse(key, "the path " + shown + " is not UTF-8; rename the folder");
  }
  if (spec.name.empty()) spec.name = fs::path(spec.pairs).stem().string();
  return write_params(spec);
}

void read_pairs_of_table(const Spec& spec, Collection& data) {
  read_table(spec.pairs, spec.keys, "pairs", spec.caption_column, {"caption", "title", "text"}, "caption_column", data,
             [&](const std::string& image, const std::string& caption) {
               data.train.push_back({.name = image,
                                     .source = (root_of(spec, spec.pairs) / image).string(),
                                     .caption = caption,
                                     .table = "pairs"});
             });
}

/// What is said of a sample: its .txt, or one of the usual keys of its .json; empty if there is nothing.
std::string caption_of(const Sample& sample, const std::string& column) {
  const auto text = sample.texts.find("txt"), json = sample.texts.find("json");
  if (text != sample.texts.end() && column.empty()) return boost::trim_copy(text->second);
  if (json == sample.texts.end()) return "";
  const Json fields = Json::parse(json->second, nullptr, /*allow_exceptions=*/false);
  if (!fields.is_object()) return "";
  const auto keys = column.empty() ? std::vector<std::string>{"caption", "title", "text"} : std::vector{column};
  for (const auto& key : keys) {
    if (fields.contains(key) && fields[key].is_string()) return boost::trim_copy(fields[key].get<std::string>());
  }
  return "";
}

void read_pairs_of_shards(const Spec& spec, Collection& data) {
  const auto shards = shards_of(spec.pairs);
  if (shards.empty()) throw Error(ErrorKind::kData, spec.pairs + ": no shard, *.tar, in this folder");
  for (const auto& shard : shards) {
    read_shard(shard, [&](Sample&& sample) {
      ++data.rows["pairs"];
      sample.image.caption = caption_of(sample, spec.caption_column);
      sample.image.table = "pairs";
      const char* missing = sample.image.source.empty()    ? "no image"
                            : sample.image.caption.empty() ? "no caption"
                                                           : nullptr;
      if (missing == nullptr) {
        data.train.push_back(std::move(sample.image));
      } else {
        data.skipped[{"pairs", missing}].push_back(shard.filename().string() + "/" + sample.key);
      }
    });
  }
}

/// Of a label that is a number, in the words that the labelled images themselves have.
std::string word_of(const std::string& label, const std::vector<std::string>& words, const std::string& probe) {
  const bool is_number = label.size() <= 9 && boost::all(label, boost::is_digit());
  if (is_number && std::stoul(label) < words.size()) return words[std::stoul(label)];
  throw Error(ErrorKind::kData, probe + ": has the label \"" + label + "\", \"labelled\" has the labels 0 to " +
                                    std::to_string(words.size() - 1));
}

void read_labelled_images(const Spec& spec, Collection& data) {
  LabelledSource held_out = read_labelled(spec.labelled, spec.keys, "labelled", data), probe;
  if (spec.probe.empty()) {
    std::vector<LabelledItem> all;
    all.swap(held_out.images);
    split(all, held_out.images, probe.images);
  } else {
    probe = read_labelled(spec.probe, spec.keys, "probe", data);
  }
  const auto labels = sorted_labels(held_out.images, probe.images);
  const auto words = spec.class_file.empty() ? spec.classes : read_words(spec.class_file, {"classes"});
  if (!words.empty() && words.size() != labels.size()) {
    throw Error(ErrorKind::kData, spec.labelled + ": has " + std::to_string(labels.size()) + " labels, \"" +
                                      (spec.class_file.empty() ? "classes" : "class_file") + "\" has " +
                                      std::to_string(words.size()) + " words (labels: " + boost::join(labels, ", ") +
                                      ")");
  }
  const auto prompts = prompts_of(spec);
  std::map<std::string, std::int64_t> index;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    index.emplace(labels[i], static_cast<std::int64_t>(i));
    std::string word = !words.empty()           ? words[i]
                       : held_out.words.empty() ? labels[i]
                                                : word_of(labels[i], held_out.words, spec.probe);
    if (words.empty()) std::ranges::replace_if(word, boost::is_any_of("_-"), ' ');
    data.classes.push_back(make_class(word, prompts));
  }
  const auto items = [&](std::vector<LabelledItem>& images, const char* table) {
    std::vector<Item> result;
    for (auto& [item, label] : images) {
      item.label = index.at(label);
      item.table = table;
      result.push_back(std::move(item));
    }
    return result;
  };
  data.probe = items(probe.images, spec.probe.empty() ? "labelled" : "probe");
  data.held_out = items(held_out.images, "labelled");
}

}  // namespace

bool is_user_reader(const std::string& reader) { return reader == kCsv || reader == kWebdataset; }

Json effective_user_data(const Json& data, const fs::path& base, const std::string& where) {
  const auto spec = read_params<Spec>(data, where);
  if (spec.pairs.empty()) {
    throw Error(ErrorKind::kMatrix,
                where + "/pairs: expected the path of a table of images and captions, or of shards");
  }
  return effective(spec, base, where);
}

Json effective_labelled(const Json& data, const std::string& name, const fs::path& base, const std::string& where) {
  Spec spec;
  spec.reader = kLabelled;
  spec.name = name;
  spec = read_params(data, where, spec);
  if (!spec.pairs.empty()) {
    throw Error(ErrorKind::kMatrix, where + "/pairs: belongs in \"train\"; here are labelled images to judge by");
  }
  if (spec.labelled.empty()) {
    throw Error(ErrorKind::kMatrix, where + "/labelled: expected labelled images: a table, a folder, shards, ...");
  }
  return effective(spec, base, where);
}

fs::path user_file(const Json& effective) {
  const Spec spec = spec_of(effective);
  constexpr const char* kRevision = "3";  // raised whenever this code makes another pack of the same files
  std::string key = kRevision + effective.dump();
  const auto add = [&](const fs::path& path) { key += stamp_of(path); };
  if (spec.reader == kWebdataset) {
    std::ranges::for_each(shards_of(spec.pairs), add);
  } else if (!spec.pairs.empty()) {
    add(spec.pairs);
  }
  for (const std::string& source : {spec.labelled, spec.probe}) {
    if (!source.empty()) std::ranges::for_each(parts_of_labelled(source), add);
  }
  for (const std::string& file : {spec.class_file, spec.prompt_file}) {
    if (!file.empty() && file != kImagenet) add(file);
  }
  return cache_file(spec.reader, key);
}

Collection read_user_data(const Json& effective) {
  const Spec spec = spec_of(effective);
  Collection data;
  data.name = spec.name;
  data.only_labelled = spec.reader == kLabelled;
  data.image_px = spec.image_px;
  data.drawing = "decoding images";
  data.draw = [px = spec.image_px](const Item& item) { return draw_item(item, px); };
  if (spec.reader == kWebdataset) {
    read_pairs_of_shards(spec, data);
  } else if (!spec.pairs.empty()) {
    read_pairs_of_table(spec, data);
  }
  if (!spec.labelled.empty()) read_labelled_images(spec, data);
  constexpr std::uint64_t kMostPixels = std::uint64_t{2} << 30;
  const auto images = std::ssize(data.train) + std::ssize(data.probe) + std::ssize(data.held_out);
  data.encoded = spec.store == "encoded" || (spec.store == "auto" && image_bytes(images, spec.image_px) > kMostPixels);
  data.longest_px = spec.longest_px;
  return data;
}

}  // namespace roclip::bench
