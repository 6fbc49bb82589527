#include "harness/data/data.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include <torch/types.h>
#include <torch/utils.h>
#include <boost/algorithm/string/join.hpp>
#include <nlohmann/json.hpp>

#include "harness/data/cache.h"
#include "harness/data/data_config.h"
#include "harness/data/emoji.h"
#include "harness/data/encoded_pack.h"
#include "harness/data/image.h"
#include "harness/data/pack.h"
#include "harness/data/scenes.h"
#include "harness/data/scenes_data.h"
#include "harness/data/sized_pack.h"
#include "harness/data/transfer.h"
#include "harness/data/user_data.h"
#include "harness/record/files.h"
#include "roclip/error.h"
#include "roclip/rng.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

/// What decides the packed file: which of its pairs are trusted does not.
Json packed_config(Json effective) {
  effective.erase("clean_share");
  return effective;
}

bool is_user_data(const Json& set) { return !is_ours(set.at("reader")); }

/// Of all readers that need no scratch folder.
Collection read_in_place(const Json& effective) {
  const std::string reader = effective.at("reader");
  return is_package_set(reader) ? read_package_set(reader) : read_user_data(packed_config(effective));
}

Reader reader_of(const Json& effective, const Progress& progress) {
  return [&](const fs::path& scratch) {
    if (effective.at("reader") == kScenes) return as_sprites(fetch_emoji(scratch, progress));
    return effective.at("reader") == kEmoji ? fetch_emoji(scratch, progress) : read_in_place(effective);
  };
}

/// What the result of a cell states of its data. @param metadata of the prepared data
Json record_of(const Json& metadata, const std::string& checksum) {
  const Json& train = metadata.at("train");
  return {{"hash", checksum},
          {"pairs", train.contains("count") ? train.at("count") : Json(train.at("captions").size())},
          {"rows", metadata.value("rows", Json::object())},
          {"left_out", metadata.at("skipped")}};
}

bool is_encoded(const fs::path& file) { return fs::is_directory(file); }

void verify(const fs::path& file) { is_encoded(file) ? verify_encoded(file) : verify_pack(file); }

torch::Tensor part(const torch::Tensor& images, const Json& json) {
  return images.narrow(0, json.at("first_image"), static_cast<std::int64_t>(json.at("captions").size()));
}

LabelledImages labelled(const torch::Tensor& images, const Json& json) {
  return {tensor_pairs(part(images, json), json.at("captions")),
          torch::tensor(json.at("labels").get<std::vector<std::int64_t>>(), torch::kInt64)};
}

}  // namespace

std::vector<std::int64_t> clean_subset(std::int64_t pairs, double share) {
  const auto count = std::llround(share * static_cast<double>(pairs));
  auto indices = Rng(stream(0, "clean subset")).sample(pairs, count);
  std::ranges::sort(indices);
  return indices;
}

fs::path prepared_file(const Json& set) {
  if (set.at("reader") == kScenes) return sprites_file();
  if (is_package_set(set.at("reader"))) return package_file(set.at("reader"));
  return set.at("reader") == kEmoji ? emoji_file() : user_file(packed_config(set));
}

fs::path prepare_data(const Json& effective, const Progress& progress) {
  const auto file = prepared_file(effective);
  ensure_packed(file, &verify, reader_of(effective, progress), progress);
  const Json metadata = is_encoded(file) ? EncodedPack(file).metadata() : open_pack(file).metadata;
  for (const auto& line : left_out_lines(record_of(metadata, ""))) progress(line, 0, 0);
  return file;
}

std::vector<std::string> left_out_lines(const Json& record) {
  std::vector<std::string> lines;
  for (const Json& left_out : record.at("left_out")) {
    const auto first = left_out.at("first").get<std::vector<std::string>>();
    std::string names = boost::join(first, ", "), rows;
    const auto count = left_out.at("count").get<std::size_t>();
    if (count > first.size()) names += ", ...";
    if (left_out.contains("table")) {
      const auto table = left_out.at("table").get<std::string>();
      rows = " of " + record.at("rows").at(table).dump() + " rows of \"" + table + "\"";
    }
    lines.push_back("left out " + std::to_string(count) + rows + " (" + left_out.at("reason").get<std::string>() +
                    "): " + names);
  }
  return lines;
}

namespace {

std::string image_hash(const Item& item) {
  try {
    return hash_hex(stored_bytes(item));
  } catch (const Error&) {
    return "missing";
  }
}

std::string content_of_files(const Json& effective) {
  const auto file = prepared_file(effective);
  if (effective.at("reader") == kEmoji) return file.stem().string();  // named by the hash of its recipe
  if (effective.at("reader") == kScenes) return hash_hex(packed_config(effective).dump() + file.stem().string());
  const fs::path note = file.string() + ".content";  // kept beside the packed file, and valid as long as that is there
  std::error_code none;
  if (fs::exists(file, none) && fs::exists(note, none)) return read_file(note);
  const Collection data = read_in_place(effective);
  std::string content = std::to_string(data.image_px);
  if (data.encoded) content += " encoded " + std::to_string(data.longest_px);
  for (const auto& info : data.classes) content += Json{info.name, info.prompts}.dump();
  for (const auto* items : {&data.train, &data.probe, &data.held_out}) {
    content += "\n";
    for (const auto& item : *items) {
      content += hash_hex(item.caption) + " " + std::to_string(item.label) + " " + image_hash(item) + "\n";
    }
  }
  const auto id = hash_hex(content);
  try {
    fs::create_directories(note.parent_path());
    write_file(note, id, Flush::kNo);
  } catch (const std::exception&) {  // a cache that cannot be written only costs time
  }
  return id;
}

/// Another share of trusted pairs than the usual one lets attacks change other pairs.
std::string content_of_set(const Json& set) {
  const auto content = content_of_files(set);
  if (!set.contains("clean_share") || set.at("clean_share") == usual_clean_share(set.at("reader"))) return content;
  return hash_hex(content + " clean_share " + set.at("clean_share").dump());
}

}  // namespace

void expect_installed(const std::vector<Json>& sets) {
  std::vector<std::string> readers;
  for (const Json& set : sets) readers.push_back(set.at("reader"));
  expect_packages(readers);
}

std::string content_id(const Json& effective) {
  std::vector<Json> sets;
  for (const auto& [name, set] : sets_of(effective)) sets.push_back(set);
  expect_installed(sets);
  if (!effective.contains(kTrain)) return content_of_set(effective);
  std::string joint = effective.at("attacked");
  for (const auto& [name, set] : sets_of(effective)) joint += "\n" + name + " " + content_of_set(set);
  return hash_hex(joint);
}

bool is_prepared(const Json& effective) {
  return std::ranges::all_of(sets_of(effective), [](const auto& set) { return fs::exists(prepared_file(set.second)); });
}

namespace {

LoadedData load_encoded(std::shared_ptr<const EncodedPack> pack, const fs::path& folder, const Json& effective,
                        std::int64_t image_px) {
  mark_used(folder);
  const Json& json = pack->metadata();
  const auto pairs_of = [&](const char* part) {
    return encoded_pairs(pack, json.at(part).at("first"), json.at(part).at("count"), image_px);
  };
  const auto labelled_of = [&](const char* part) {
    const auto pairs = pairs_of(part);
    auto labels = torch::empty({pairs->size()}, torch::kInt64);
    const std::int64_t first = json.at(part).at("first");
    for (std::int64_t i = 0; i < pairs->size(); ++i) labels.data_ptr<std::int64_t>()[i] = pack->entry(first + i).label;
    return LabelledImages{pairs, labels};
  };
  LoadedData data;
  data.name = json.at("name");
  data.hash = pack->checksum();
  data.train = pairs_of("train");
  data.probe = labelled_of("probe");
  data.held_out = labelled_of("held_out");
  data.clean_subset = clean_subset(data.train->size(), effective.value("clean_share", 0.0));
  data.classes = classes_of(json);
  data.record = record_of(json, data.hash);
  return data;
}

LoadedData load_set(const Json& effective, std::int64_t image_px, const Progress& progress) {
  if (const auto file = prepared_file(effective); is_user_data(effective) && !fs::is_regular_file(file)) {
    std::shared_ptr<const EncodedPack> pack;  // unless the data turn out to be stored as pixels
    const auto open = [&](const fs::path& whole) {
      pack = is_encoded(whole) ? std::make_shared<const EncodedPack>(whole) : nullptr;
    };
    ensure_packed(file, open, reader_of(effective, progress), progress);
    if (!pack) open(file);
    if (pack) return load_encoded(std::move(pack), file, effective, image_px);
  }
  const bool scenes = effective.at("reader") == kScenes;
  if (scenes) check_scenes_px(effective, image_px);
  const auto sides = sprite_sides(image_px);
  const auto sizes = scenes ? std::vector(sides.begin(), sides.end()) : std::vector{image_px};
  const auto opened = open_sized(prepared_file(effective), reader_of(effective, progress), sizes, progress);
  if (scenes) {
    auto data = make_scenes(packed_config(effective), opened);
    data.clean_subset = clean_subset(data.train->size(), effective.at("clean_share"));
    return data;
  }
  const Json& json = opened.pack.metadata;
  const auto& images = opened.images[0];
  LoadedData data;
  data.name = json.at("name");
  data.hash = opened.pack.checksum;
  data.train = tensor_pairs(part(images, json.at("train")), json.at("train").at("captions"));
  data.probe = labelled(images, json.at("probe"));
  data.held_out = labelled(images, json.at("held_out"));
  data.clean_subset = clean_subset(data.train->size(), effective.value("clean_share", 0.0));
  data.classes = classes_of(json);
  data.record = record_of(json, data.hash);
  return data;
}

void take_labelled(Dataset& data, const Dataset& from) {
  data.probe = from.probe;
  data.held_out = from.held_out;
  data.classes = from.classes;
}

}  // namespace

LoadedData load_data(const Json& effective, std::int64_t image_px, const Progress& progress) {
  if (!effective.contains(kTrain)) return load_set(effective, image_px, progress);
  LoadedData data = load_set(effective.at(kTrain), image_px, progress);
  std::string joint = effective.at("attacked").get<std::string>() + "\n" + data.hash;
  for (const auto& [name, set] : effective.at("evaluate").items()) {
    const LoadedData judged = load_set(set, image_px, progress);
    joint += "\n" + name + " " + judged.hash;
    data.record["evaluate"][name] = judged.record;
    data.record["evaluate"][name]["held_out"] = judged.held_out.size();
    data.record["evaluate"][name]["probe"] = judged.probe.size();
    if (effective.at("attacked") == name) {
      take_labelled(data, judged);
    } else {
      data.evaluate.emplace(name, judged).first->second.name = name;
    }
  }
  data.hash = hash_hex(joint);
  for (auto& [name, set] : data.evaluate) {
    set.train = data.train;
    set.clean_subset = data.clean_subset;
  }
  return data;
}

Json list_packs() {
  Json list = Json::array();
  for (const auto& file : cached_files()) {
    Json& entry =
        list.emplace_back(Json{{"file", file.path},
                               {"bytes", file.bytes},
                               {"last_used", file.last_used},
                               {"data", fs::exists(file.path) ? "not complete or damaged" : "not prepared yet"},
                               {"image_px", 0},
                               {"images", 0}});
    try {
      if (is_encoded(file.path)) {
        const EncodedPack pack(file.path);
        entry["images"] = pack.size();
        entry["data"] = pack.metadata().at("name");
        continue;
      }
      const Pack pack = open_pack(file.path);
      entry["image_px"] = pack.images.size(2);
      entry["images"] = pack.images.size(0);
      entry["data"] = pack.metadata.value("name", "a resized copy");
    } catch (const std::exception&) {
    }
  }
  return list;
}

Json list_data() {
  const Json scenes = effective_scenes(Json::object(), kScenes);
  const auto entry = [](const std::string& name, const std::string& summary, const fs::path& file) {
    return Json{{"name", name}, {"summary", summary}, {"prepared", false}, {"file", file},
                {"pairs", 0},   {"held_out", 0},      {"classes", 0}};
  };
  Json list = {
      entry(kEmoji, "drawings of about 1,900 emoji in eight styles; six to train on, two held out", emoji_file()),
      entry(kScenes, "one to three of these drawings on a ground, drawn when asked for: as many pairs as wanted",
            sprites_file())};
  for (const auto& name : package_sets()) {
    fs::path file;
    try {
      file = package_file(name);
    } catch (const Error&) {  // the package is not installed
    }
    list.push_back(entry(name, summary_of(name), file));
  }
  for (Json& info : list) {
    try {
      const Json json = open_pack(info.at("file").get<std::string>()).metadata;
      const bool drawn = info.at("name") == kScenes;
      info["pairs"] = drawn ? scenes.at("pairs").get<std::int64_t>()
                            : static_cast<std::int64_t>(json.at("train").at("captions").size());
      info["held_out"] = drawn ? scenes.at("held_out").get<std::int64_t>()
                               : static_cast<std::int64_t>(json.at("held_out").at("captions").size());
      info["classes"] = json.at("classes").size();
      info["prepared"] = true;
    } catch (const Error&) {  // missing or damaged: not prepared
    }
  }
  return list;
}

}  // namespace roclip::bench
