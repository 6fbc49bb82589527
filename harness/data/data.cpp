#include "harness/data/data.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <unistd.h>

#include <torch/types.h>
#include <torch/utils.h>
#include <boost/algorithm/string/join.hpp>
#include <nlohmann/json.hpp>

#include "harness/data/cache.h"
#include "harness/data/csv_data.h"
#include "harness/data/emoji.h"
#include "harness/data/image.h"
#include "harness/data/pack.h"
#include "harness/record/files.h"
#include "harness/record/machine.h"
#include "roclip/error.h"
#include "roclip/rng.h"

namespace roclip::bench {

namespace fs = std::filesystem;

namespace {

constexpr const char* kEmoji = "emoji";

struct CleanShare {
  double share = 0;
  void declare(ParamList& list) {
    list.add("clean_share", share, Range{0, 1}, "1", "share of the training pairs that no attack may touch", "ours");
  }
};

/// What decides the packed file: which of its pairs are trusted does not.
Json packed_config(Json effective) {
  effective.erase("clean_share");
  return effective;
}

fs::path packed_file(const Json& effective) {
  return effective.at("reader") == kEmoji ? emoji_file() : csv_file(packed_config(effective));
}

fs::path ensure(const Json& effective, const std::function<void(const fs::path&)>& whole, const Progress& progress) {
  const Reader read = [&](const fs::path& scratch) {
    return effective.at("reader") == kEmoji ? fetch_emoji(scratch, progress) : read_csv_data(packed_config(effective));
  };
  const auto file = packed_file(effective);
  ensure_packed(file, whole, read, progress);
  return file;
}

/// What the result of a cell states of its data.
Json record_of(const Pack& pack) {
  const Json& json = pack.metadata;
  return {{"hash", pack.checksum},
          {"pairs", json.at("train").at("captions").size()},
          {"rows", json.value("rows", Json::object())},
          {"left_out", json.at("skipped")}};
}

torch::Tensor part(const torch::Tensor& images, const Json& json) {
  return images.narrow(0, json.at("first_image"), static_cast<std::int64_t>(json.at("captions").size()));
}

LabelledImages labelled(const torch::Tensor& images, const Json& json) {
  return {tensor_pairs(part(images, json), json.at("captions")),
          torch::tensor(json.at("labels").get<std::vector<std::int64_t>>(), torch::kInt64)};
}

fs::path resized_file(const fs::path& file, std::int64_t image_px) {
  return file.parent_path() / (file.stem().string() + "-" + std::to_string(image_px) + "px.pack");
}

/// The images of a packed file in its own resolution or in one that was made before; undefined if there is none yet.
/// Verifies what is used now or will be resized. @throws Error(kData) if the packed file is damaged
torch::Tensor stored_images(const fs::path& file, const Pack& pack, std::int64_t image_px) {
  mark_used(file);
  if (pack.images.size(2) != image_px) {
    const auto beside = resized_file(file, image_px);
    try {
      const Pack small = open_pack(beside);
      if (small.metadata.at("resized_from") == pack.checksum) {
        verify_pack(beside);
        mark_used(beside);
        return small.images;
      }
    } catch (const std::exception&) {  // missing or damaged: made again
    }
  }
  verify_pack(file);
  return pack.images.size(2) == image_px ? pack.images : torch::Tensor();
}

/// The images at another resolution: made once, kept beside the packed file and mapped from then on, so that the
/// workers of a run share them.
torch::Tensor resized(const fs::path& file, const Pack& pack, std::int64_t image_px, const Progress& progress) {
  constexpr std::int64_t kChunk = 512;  // bounds the memory
  const auto images = pack.images.size(0);
  const auto beside = resized_file(file, image_px);
  const fs::path draft = beside.string() + ".tmp" + std::to_string(::getpid());
  std::error_code ignored;
  fs::remove(draft, ignored);
  try {
    expect_space(draft, images, image_px, progress);
    PackWriter writer(draft, image_px);
    for (std::int64_t first = 0; first < images; first += kChunk) {
      const auto last = std::min(first + kChunk, images);
      const auto chunk = resize_images(pack.images.slice(0, first, last), image_px);
      for (std::int64_t i = 0; i < chunk.size(0); ++i) writer.append(chunk[i]);
      progress("resizing images", last, images);
    }
    writer.finish({{"resized_from", pack.checksum}});
    fs::rename(draft, beside);
    return open_pack(beside).images;
  } catch (const std::exception&) {  // a cache that cannot be written only costs time, where the memory suffices
    fs::remove(draft, ignored);
    if (static_cast<double>(image_bytes(images, image_px)) / 1048576 > machine_memory_mib() / 2) throw;
    return resize_images(pack.images, image_px);
  }
}

}  // namespace

Json effective_data(const Json& data, const fs::path& base, const std::string& where) {
  Json object = data.is_string() ? Json{{"reader", data}} : data;
  const std::string key = data.is_string() ? where : where + "/reader";
  if (!object.is_object() || !object.contains("reader") || !object["reader"].is_string()) {
    throw Error(ErrorKind::kMatrix,
                where + R"(: expected "emoji" or an object {"reader": "csv", "pairs": ...}, got )" + data.dump());
  }
  const auto reader = object["reader"].get<std::string>();
  CleanShare trusted{reader == kEmoji ? kEmojiCleanShare : 0};
  if (object.contains("clean_share")) {
    trusted = read_params(Json{{"clean_share", object["clean_share"]}}, where, trusted);
    object.erase("clean_share");
  }
  const auto effective = [&](Json rest) {
    rest["clean_share"] = trusted.share;
    return rest;
  };
  if (reader == "csv") return effective(effective_csv(object, base, where));
  if (reader != kEmoji) {
    throw Error(ErrorKind::kMatrix, key + ": unknown data set \"" + reader + "\"" +
                                        did_you_mean(reader, {kEmoji, "csv"}) + " (known: emoji, csv)");
  }
  if (object.size() > 1) {
    throw Error(ErrorKind::kMatrix, where + ": \"emoji\" has no other keys than \"clean_share\", got " + object.dump());
  }
  return effective(object);
}

std::vector<std::int64_t> clean_subset(std::int64_t pairs, double share) {
  const auto count = std::llround(share * static_cast<double>(pairs));
  auto indices = Rng(stream(0, "clean subset")).sample(pairs, count);
  std::ranges::sort(indices);
  return indices;
}

fs::path prepare_data(const Json& effective, const Progress& progress) {
  const auto file = ensure(effective, &verify_pack, progress);
  for (const auto& line : left_out_lines(record_of(open_pack(file)))) progress(line, 0, 0);
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

std::string content_id(const Json& effective) {
  const auto file = packed_file(effective);
  if (effective.at("reader") == kEmoji) return file.stem().string();  // named by the hash of its recipe
  const fs::path note = file.string() + ".content";  // kept beside the packed file, and valid as long as that is there
  std::error_code none;
  if (fs::exists(file, none) && fs::exists(note, none)) return read_file(note);
  const Collection data = read_csv_data(packed_config(effective));
  std::string content = std::to_string(data.image_px);
  for (const auto& info : data.classes) content += Json{info.name, info.prompts}.dump();
  for (const auto* items : {&data.train, &data.probe, &data.held_out}) {
    content += "\n";
    for (const auto& item : *items) {
      const auto image = fs::is_regular_file(item.source, none) ? hash_file(item.source) : "missing";
      content += hash_hex(item.caption) + " " + std::to_string(item.label) + " " + image + "\n";
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

bool is_prepared(const Json& effective) { return fs::exists(packed_file(effective)); }

LoadedData load_data(const Json& effective, std::int64_t image_px, const Progress& progress) {
  std::optional<Pack> pack;  // at once: a cache may be deleted at any moment
  torch::Tensor images;
  const auto open = [&](const fs::path& whole) {
    pack.reset();
    Pack opened = open_pack(whole);
    images = stored_images(whole, opened, image_px);
    pack = std::move(opened);
  };
  const auto file = ensure(effective, open, progress);
  if (!pack) open(file);
  if (!images.defined()) images = resized(file, *pack, image_px, progress);
  const Json& json = pack->metadata;
  LoadedData data;
  data.name = json.at("name");
  data.hash = pack->checksum;
  data.train = tensor_pairs(part(images, json.at("train")), json.at("train").at("captions"));
  data.probe = labelled(images, json.at("probe"));
  data.held_out = labelled(images, json.at("held_out"));
  data.clean_subset = clean_subset(data.train->size(), effective.value("clean_share", 0.0));
  for (const Json& info : json.at("classes")) data.classes.push_back({info.at("name"), info.at("prompts")});
  data.record = record_of(*pack);
  return data;
}

Json list_packs() {
  Json list = Json::array();
  for (const auto& file : cached_files()) {
    Json& entry = list.emplace_back(Json{{"file", file.path},
                                         {"bytes", file.bytes},
                                         {"last_used", file.last_used},
                                         {"data", "not complete or damaged"},
                                         {"image_px", 0},
                                         {"images", 0}});
    try {
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
  Json info = {
      {"name", kEmoji},    {"summary", "drawings of about 1,900 emoji in eight styles; six to train on, two held out"},
      {"prepared", false}, {"file", emoji_file()},
      {"pairs", 0},        {"held_out", 0},
      {"classes", 0}};
  try {
    const Json json = open_pack(emoji_file()).metadata;
    info["pairs"] = json.at("train").at("captions").size();
    info["held_out"] = json.at("held_out").at("captions").size();
    info["classes"] = json.at("classes").size();
    info["prepared"] = true;
  } catch (const Error&) {  // missing or damaged: not prepared
  }
  return Json::array({info});
}

}  // namespace roclip::bench
